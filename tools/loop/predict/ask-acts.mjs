// Asks who acts, which call comes next, what it returns, and who sleeps in what. As in the files beside it, each function
// takes the subject (trace-questions.mjs) and returns drafts of questions (question.mjs).

import { describeShortly, familyOf, findStep, isSureResult, kindOf, kinds, kindsIn, linesOf, namesIn, restAfter, shortenResult } from './facts.mjs';
import { dull, everyday, fromThere, isReport, setsUpRing, spotsOf, union, wholeStep, withoutFamily } from './trace-subject.mjs';
import { describeStep, nameCallInWords, nameRest, nameResult } from './words.mjs';

// --- Who acts ----------------------------------------------------------------------------------------

const nobody = 'nobody';

export function askWho({ here, there, steps, nameKind }) {
  if (kindsIn(here, there).length < 2) return [];
  return steps.flatMap(({ heading, order }) => union(namesIn(here, heading), namesIn(there, heading)).map((name) => {
    const answerIn = ({ here: story }) => {
      const found = kinds.filter((kind) => hasCall(story, heading, kind, name));
      return found.length > 1 ? null : found[0] ?? (isAwaited(story, heading, name) ? null : nobody);
    };
    return {
      kind: 'who', order, answerIn, answerElsewhere: fromThere(answerIn),
      text: `${describeStep(heading)} Who has a line with ${nameCallInWords(name)} in this step of the trace?`,
      choices: [...kinds, nobody], isFixed: true,
      nameValue: (value) => (value === nobody ? 'none of them: there is no such line in this step' : nameKind(value)),
      topics: [`${heading}/${name}`], calls: [name],
      spotsIn: ({ here: story }) => {
        const spots = spotsOf(story, heading, ({ call }) => call?.name === name);
        return spots.length > 0 ? spots : wholeStep(story, heading);
      },
    };
  }));
}

const hasCall = (story, heading, kind, name) => (story[findStep(story, heading)]?.lines ?? [])
  .some(({ role, call }) => kindOf(role) === kind && call?.name === name);

/** Whether somebody has been asleep in that call since an earlier step: then "nobody" would not be the whole truth. */
const isAwaited = (story, heading, name) => [...restAfter(story, findStep(story, heading)).values()]
  .some((rest) => rest === 'spins' || familyOf(rest ?? '') === familyOf(name));

// --- Which call comes next ---------------------------------------------------------------------------

export function askNext({ here, there, steps, nameKind }) {
  return steps.flatMap(({ heading, order }) => kinds.flatMap((kind) => findPairs(here, heading, kind).map(([first, next]) => {
    const answerIn = ({ here: story }) => findPairs(story, heading, kind).find(([pair]) => pair === first)?.[1] ?? null;
    const elsewhere = kinds.flatMap((other) => findPairs(there, heading, other))
      .filter(([pair]) => familyOf(nameOf(pair)) === familyOf(nameOf(first))).map(([, name]) => name);
    const likely = union(namesIn(there, heading), namesIn(here, heading), namesIn(here), namesIn(there)).filter((name) => !everyday.includes(name));
    const names = union(elsewhere, likely, wellKnown, everyday);
    return {
      kind: 'next', order, answerIn,
      isDifference: there.length > 0 && !elsewhere.some((name) => familyOf(name) === familyOf(next)),
      text: `${describeStep(heading)} The trace of ${nameKind(kind)} has this line. Which call does it make next?`,
      lines: [first],
      choices: withoutFamily(names, next), nameValue: nameCallInWords,
      topics: [`${heading}/${nameOf(first)}`, `${heading}/${next}`], calls: [next],
      spotsIn: ({ here: story }) => spotsAfter(story, heading, kind, first),
    };
  })));
}

// Calls that a learner has met in one chapter or another.
const wellKnown = ['read', 'sendto', 'accept4', 'close', 'epoll_wait', 'poll'];

const nameOf = (shortCall) => /^\w+/.exec(shortCall)[0];

/** [[a call with its result, the name of the call after it]] of a kind in a step; calls that look alike are left out. */
function findPairs(story, heading, kind) {
  const lines = linesOf(story, heading, kind) ?? [];
  const pairs = lines.slice(1).flatMap((line, at) => {
    const before = lines[at];
    const isPair = before.call?.result && line.call && !/^the handler/.test(line.text) && !dull.includes(line.call.name)
      && !dull.includes(before.call.name) && !isReport(before) && !isReport(line) && !setsUpRing.test(before.call.name);
    return isPair ? [[describeShortly(before.call), line.call.name]] : [];
  });
  const calls = lines.filter(({ call }) => call?.result).map(({ call }) => describeShortly(call));
  return pairs.filter(([first]) => calls.filter((call) => call === first).length === 1);
}

function spotsAfter(story, heading, kind, first) {
  const spots = spotsOf(story, heading, ({ role, call }) => kindOf(role) === kind && call?.result && describeShortly(call) === first);
  return spots.map(({ step, line }) => ({ step, line: line + 1 }));
}

// --- What a call returns -----------------------------------------------------------------------------

// Calls whose result tells something, and what a learner may take for it.
const plausible = {
  accept: ['-1 EAGAIN', '-1 EINTR', '4', '3', '5', '0'],
  read: ['0', '6', '-1 EAGAIN', '65536', '-1 EINTR'],
  write: ['6', '0', '-1 EAGAIN', '-1 EPIPE'],
  epoll_wait: ['1', '0', '2', '-1 EINTR'],
  poll: ['1', '0', '2', '-1 EINTR'],
  select: ['1', '0', '2', '-1 EINTR'],
  io_uring_enter: ['1', '2', '0', '3'],
  fork: ['child', '0', '-1 EAGAIN', '1'],
  wait4: ['child', '0', '-1 ECHILD', '-1 EINTR'],
};

export function askResult({ here, there, steps, nameKind }) {
  return steps.flatMap(({ heading, order }) => kinds.flatMap((kind) => namesIn(here, heading)
    .filter((name) => familyOf(name) in plausible).map((name) => {
      const answerIn = ({ here: story }) => findResult(story, heading, kind, name);
      const elsewhere = kinds.map((other) => findResultOfFamily(there, heading, other, name));
      return {
        kind: 'result', order, answerIn,
        isDifference: there.length > 0 && !elsewhere.includes(answerIn({ here })),
        text: `${describeStep(heading)} What does ${nameCallInWords(name)} return to ${nameKind(kind)}?`,
        choices: [...elsewhere, ...plausible[familyOf(name)]], nameValue: nameResult,
        topics: [`${heading}/${name}`], calls: [name],
        spotsIn: ({ here: story }) => spotsOf(story, heading, ({ role, call }) => kindOf(role) === kind && call?.name === name && call.result),
      };
    })));
}

/** The result of the one call of that name, or null: also where it has no descriptor of its own to be sure of. */
function findResult(story, heading, kind, name) {
  const lines = (linesOf(story, heading, kind) ?? []).filter(({ call }) => call?.name === name && call.result);
  const result = lines.length === 1 && (lines[0].returns?.length ?? 0) <= 1 ? shortenResult(lines[0].call.result) : null;
  return isSureResult(result ?? '') ? result : null;
}

function findResultOfFamily(story, heading, kind, name) {
  const other = namesIn(story, heading).find((word) => familyOf(word) === familyOf(name));
  return other === undefined ? null : findResult(story, heading, kind, other);
}

// --- Who sleeps, and in what -------------------------------------------------------------------------

export function askRest({ here, there, steps, nameKind }) {
  return steps.flatMap(({ heading, order }) => kindsIn(here).map((kind) => {
    const answerIn = ({ here: story }) => findRest(story, heading, kind);
    const elsewhere = kinds.map((other) => findRest(there, heading, other)).filter(Boolean);
    const right = answerIn({ here });
    const names = union(elsewhere, listRests(here), listRests(there), ['spins', 'read', 'accept', 'poll', 'epoll_wait']);
    return {
      kind: 'asleep', order, answerIn,
      isDifference: there.length > 0 && right !== null && !elsewhere.some((rest) => familyOf(rest) === familyOf(right)),
      text: `${describeStep(heading)} Then all has come to rest. In which call is ${nameKind(kind)} asleep?`,
      choices: withoutFamily(names, right ?? ''), nameValue: nameRest,
      topics: [`${heading}/rest`, `${heading}/${right}`], calls: [right],
      spotsIn: ({ here: story }) => spotsOfRest(story, heading, kind),
    };
  }));
}

/** What all roles of a kind do when the step is over, where they do the same; otherwise null. */
function findRest(story, heading, kind) {
  const step = findStep(story, heading);
  const found = step === -1 ? [] : [...restAfter(story, step)].filter(([role]) => kindOf(role) === kind).map(([, rest]) => rest);
  return found.length > 0 && found.every((rest) => rest === found[0]) ? found[0] : null;
}

const listRests = (story) => union(story.flatMap((_, step) => [...restAfter(story, step).values()])).filter(Boolean);

/** The last line of the kind up to the step. */
function spotsOfRest(story, heading, kind) {
  const spots = story.slice(0, findStep(story, heading) + 1)
    .flatMap(({ lines }, step) => lines.flatMap(({ role }, line) => (kindOf(role) === kind ? [{ step, line }] : [])));
  return spots.slice(-1);
}
