// Questions about system calls, from the difference of two stories.

import {
  countAlive, countCalls, countEchoCalls, describeShortly, echoOf, familyOf, findStep, isSureResult, kindOf, kinds, kindsIn,
  linesOf, namesIn, restAfter, shortenResult,
} from './facts.mjs';
import { completeQuestion } from './question.mjs';
import { describeStep, makeNames, nameCallInWords, nameRest, nameResult, startSentence } from './words.mjs';

/**
 * All questions that can be asked of `here`, the story of the chapter `names.here`, beside `there`, that of `names.there`;
 * `there` is null where there is no other.
 */
export function makeTraceQuestions({ here, there }, names) {
  const recordings = { here, there: there ?? [] };
  const subject = { ...recordings, names, nameKind: makeNames(here, recordings.there), steps: findSharedSteps(here, there) };
  const makers = [askWho, askNext, askResult, askRest, askCount, askAlive, askEcho, askArgument, askFlag, askPresence, askOutcome];
  return makers.flatMap((make) => make(subject)).map((draft) => completeQuestion(draft, recordings)).filter(Boolean);
}

/** The steps that both stories have (all of them where there is one story alone): [{heading, order}]. */
function findSharedSteps(here, there) {
  return here.map(({ heading }, order) => ({ heading, order })).filter(({ heading }) => there === null || findStep(there, heading) !== -1);
}

/** The same question with the two stories exchanged: what the other chapter would answer. */
const fromThere = (answerIn) => ({ here, there }) => answerIn({ here: there, there: here });

const union = (...lists) => [...new Set(lists.flat())];

/** Where in a step the lines are that `isMeant` chooses. */
function spotsOf(story, heading, isMeant) {
  const step = findStep(story, heading);
  return (story[step]?.lines ?? []).flatMap((line, at) => (isMeant(line) ? [{ step, line: at }] : []));
}

const wholeStep = (story, heading) => {
  const step = findStep(story, heading);
  return step === -1 ? [] : [{ step, line: null }];
};

// --- Who acts ---------------------------------------------------------------------------------------

const nobody = 'nobody';

function askWho({ here, there, steps, nameKind }) {
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

// --- Which call comes next --------------------------------------------------------------------------

function askNext({ here, there, steps, nameKind }) {
  return steps.flatMap(({ heading, order }) => kinds.flatMap((kind) => findPairs(here, heading, kind).map(([first, next]) => {
    const answerIn = ({ here: story }) => findPairs(story, heading, kind).find(([pair]) => pair === first)?.[1] ?? null;
    const elsewhere = kinds.flatMap((other) => findPairs(there, heading, other))
      .filter(([pair]) => familyOf(nameOf(pair)) === familyOf(nameOf(first))).map(([, name]) => name);
    const all = union(namesIn(here), namesIn(there));
    const names = union(elsewhere, namesIn(there, heading), namesIn(here, heading), all.filter((name) => !everyday.includes(name)), wellKnown, all);
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

// Of these no text speaks at length.
const dull = ['socket', 'setsockopt', 'getsockname'];

// How a ring is set up depends on the kernel.
const setsUpRing = /^io_uring_(setup|register)$/;

// Calls that a learner has met in one chapter or another.
const wellKnown = ['read', 'sendto', 'accept4', 'close', 'epoll_wait', 'poll'];

const nameOf = (shortCall) => /^\w+/.exec(shortCall)[0];

/** Names that are not other forms of `right` and not of each other: `accept` beside `accept4` would be a trap. */
function withoutFamily(names, right) {
  const families = new Set([familyOf(right)]);
  return names.filter((name) => !families.has(familyOf(name)) && families.add(familyOf(name)));
}

/** [[a call with its result, the name of the call after it]] of a kind in a step; calls that look alike are left out. */
function findPairs(story, heading, kind) {
  const lines = linesOf(story, heading, kind) ?? [];
  const pairs = lines.slice(1).flatMap((line, at) => {
    const before = lines[at];
    const isPair = before.call?.result && line.call && !/^the handler/.test(line.text) && !dull.includes(line.call.name)
      && !dull.includes(before.call.name) && !setsUpRing.test(before.call.name);
    return isPair ? [[describeShortly(before.call), line.call.name]] : [];
  });
  const calls = lines.filter(({ call }) => call?.result).map(({ call }) => describeShortly(call));
  return pairs.filter(([first]) => calls.filter((call) => call === first).length === 1);
}

function spotsAfter(story, heading, kind, first) {
  const spots = spotsOf(story, heading, ({ role, call }) => kindOf(role) === kind && call?.result && describeShortly(call) === first);
  return spots.map(({ step, line }) => ({ step, line: line + 1 }));
}

// --- What a call returns ----------------------------------------------------------------------------

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

function askResult({ here, there, steps, nameKind }) {
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

// --- Who sleeps, and in what ------------------------------------------------------------------------

function askRest({ here, there, steps, nameKind }) {
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

// --- How many ---------------------------------------------------------------------------------------

const mostCounted = 12;

function askCount({ here, there, steps }) {
  return steps.flatMap(({ heading, order }) => union(namesIn(here, heading), namesIn(there, heading)).map((name) => {
    const answerIn = ({ here: story }) => (findStep(story, heading) === -1 ? null : countCalls(story, name, heading));
    const [right, other] = [answerIn({ here }), answerIn({ here: there })];
    const isDull = dull.includes(name) || (setsUpRing.test(name) && right === other);
    if (isDull || right > mostCounted || right < 1 || Math.max(right, other ?? 0) < 2) return { answerIn: () => null };
    return {
      kind: 'count', order, answerIn, answerElsewhere: fromThere(answerIn),
      text: `${describeStep(heading)} How many calls of ${nameCallInWords(name)} return in this step, all processes and threads together? (a number)`,
      topics: [`${heading}/${name}`], calls: [name],
      spotsIn: ({ here: story }) => spotsOf(story, heading, ({ returns }) => returns?.includes(name)),
    };
  }));
}

function askAlive({ here, there, steps }) {
  if (kindsIn(here, there).length < 2) return [];
  return steps.map(({ heading, order }) => {
    const answerIn = ({ here: story }) => (findStep(story, heading) === -1 ? null : countAlive(story, findStep(story, heading)));
    return {
      kind: 'count', order, answerIn, answerElsewhere: fromThere(answerIn),
      text: `${describeStep(heading)} Then all has come to rest. Of how many processes and threads does the server consist, its first one included? (a number)`,
      topics: [`${heading}/alive`], calls: ['fork', 'clone'],
      spotsIn: ({ here: story }) => story.flatMap(({ lines }, step) => lines.flatMap(({ returns, text }, line) => (
        step <= findStep(story, heading) && (returns?.some((name) => ['fork', 'vfork', 'clone'].includes(name)) || /^\+\+\+ /.test(text)) ? [{ step, line }] : []))),
    };
  });
}

function askEcho({ here, there, names }) {
  const echo = echoOf(here);
  if (echo === undefined) return [];
  const order = here.indexOf(echo);
  const count = ({ here: story }) => countEchoCalls(story);
  const compare = ({ here: story, there: other }) => {
    const [mine, yours] = [countEchoCalls(story), countEchoCalls(other)];
    return mine === null || yours === null ? null : ['fewer', 'as many', 'more'][Math.sign(mine - yours) + 1];
  };
  const spotsIn = ({ here: story }) => spotsOf(story, echo.heading, ({ returns }) => returns?.length > 0);
  const common = { order, topics: ['echo'], calls: echo.calls, spotsIn };
  return [
    {
      ...common, kind: 'count', answerIn: count, answerElsewhere: fromThere(count),
      text: `${describeStep(echo.heading)} How many system calls of the server return in this step: what does one echo cost? (a number)`,
    },
    {
      ...common, kind: 'compare', answerIn: compare, isDifference: compare({ here, there }) !== 'as many', isFixed: true,
      text: `Count the system calls that return while one echo is made. Does ${names.here} need fewer than ${names.there}, as many, or more?`,
      choices: ['fewer', 'as many', 'more'],
    },
  ];
}

// --- With which arguments, with which flags ---------------------------------------------------------

// What the arguments are called, where their place alone says little (man pages, section 2).
const argumentNames = {
  io_uring_enter: [null, 'how many entries are handed to the kernel', 'for how many completions it waits'],
};

function askArgument(subject) {
  return alignCalls(subject).flatMap(({ heading, order, kind, call, other, nth }) => {
    const at = call.name === other.name ? findDifference(call, other) : -1;
    if (at === -1) return [];
    const meaning = argumentNames[call.name]?.[at];
    const all = [subject.here, subject.there].flatMap((story) => story.flatMap(({ lines }) => lines.flatMap((line) => (
      line.call?.name === call.name ? line.call.args[at] ?? [] : []))));
    return [{
      ...makeCallDraft(heading, order, kind, call, nth), kind: 'argument',
      answerIn: ({ here: story }) => findCall(story, heading, kind, call.name, nth)?.args[at] ?? null,
      text: `${describeStep(heading)} What stands in the place of the question mark${meaning ? ` (${meaning})` : ''}, in the ${ordinals[nth]} call of ${nameCallInWords(call.name)} that begins in this step?`,
      lines: [`${call.name}(${call.args.map((text, place) => (place === at ? '?' : isSureArgument(text) ? text : '…')).join(', ')})`],
      choices: [other.args[at], ...all, ...neighboursOf(call.args[at])].filter(isSureArgument),
    }];
  });
}

const none = 'none';

function askFlag(subject) {
  return alignCalls(subject).flatMap(({ heading, order, kind, call, other, nth }) => {
    const [mine, yours] = [listFlags(call), listFlags(other)];
    return varying.includes(call.name) ? [] : mine.filter((flag) => !yours.includes(flag)).map((flag) => ({
      ...makeCallDraft(heading, order, kind, call, nth), kind: 'argument', about: flag,
      answerIn: ({ here: story }) => {
        const found = findCall(story, heading, kind, call.name, nth);
        return found === undefined ? null : listFlags(found).includes(flag) ? flag : none;
      },
      text: `${describeStep(heading)} The ${ordinals[nth]} call of ${nameCallInWords(call.name)} that begins in this step: which of these words has it among its arguments in ${subject.names.here}, and not in ${subject.names.there}?`,
      choices: [none, ...yours], fewest: 2, nameValue: (value) => (value === none ? 'none of the others: what they say has been there before' : value),
    }));
  });
}

const makeCallDraft = (heading, order, kind, { name }, nth) => ({
  order, isDifference: true, topics: [`${heading}/${name}`], calls: [name],
  spotsIn: ({ here: story }) => spotsOf(story, heading, (line) => kindOf(line.role) === kind && begins(line) && line.call.name === name).slice(nth, nth + 1),
});

const ordinals = ['first', 'second', 'third', 'fourth', 'fifth'];

/** Calls that begin in the same step of both stories, by the same number of their name: [{heading, order, kind, call, other, nth}]. */
function alignCalls({ here, there, steps }) {
  return steps.flatMap(({ heading, order }) => kinds.flatMap((kind) => listCalls(here, heading, kind).flatMap(({ call, nth }) => {
    const others = kinds.map((one) => listCalls(there, heading, one).find((found) => found.nth === nth && familyOf(found.call.name) === familyOf(call.name)));
    const other = others.find(Boolean)?.call;
    return other === undefined ? [] : [{ heading, order, kind, call, other, nth }];
  })));
}

const begins = ({ call, text }) => Boolean(call) && !/^(…|the handler)/.test(text);

/** The calls of a kind that begin in a step, with their number among those of their name: [{call, nth}]. */
function listCalls(story, heading, kind) {
  const seen = new Map();
  return (linesOf(story, heading, kind) ?? []).filter(begins).map(({ call }) => {
    const nth = seen.get(call.name) ?? 0;
    seen.set(call.name, nth + 1);
    return { call, nth };
  }).filter(({ nth }) => nth < ordinals.length);
}

const findCall = (story, heading, kind, name, nth) => listCalls(story, heading, kind).find((one) => one.call.name === name && one.nth === nth)?.call;

// What depends on the kernel's version, on the release of a program or on the moment is no question.
const varying = ['io_uring_setup', 'io_uring_register', 'execve', 'bind', 'getsockname'];

/** The place of the one short argument in which two calls differ; -1 where there is none. The first is a descriptor's number. */
function findDifference(a, b) {
  if (varying.includes(a.name) || a.args.length !== b.args.length) return -1;
  const places = a.args.flatMap((text, at) => (text === b.args[at] ? [] : [at]));
  const [at] = places;
  return places.length === 1 && at > 0 && isSureArgument(a.args[at]) && isSureArgument(b.args[at]) ? at : -1;
}

const longest = 60; // characters of an argument that fits an option

const isSureArgument = (text) => text.length <= longest && !/…|sin6?_port|"|0x|\b\d{5,}\b|\bu(32|64)=/.test(text);

/** The names of flags and constants in a call's arguments, each once. */
const listFlags = ({ args }) => [...new Set(args.filter((text) => !text.startsWith('"')).flatMap((text) => text.match(/\b[A-Z][A-Z0-9_]{3,}\b/g) ?? []))]
  .filter((flag) => !/^(NULL|AF_INET6?)$/.test(flag));

const neighboursOf = (text) => (/^\d$/.test(text) ? [Number(text) + 1, Math.max(0, Number(text) - 1), Number(text) + 2].map(String) : []);

// --- Which calls are new, which are gone ------------------------------------------------------------

function askPresence({ here, there, names }) {
  if (there.length === 0) return [];
  const [mine, yours] = [here, there].map((story) => namesIn(story).filter((name) => !/^rt_sigreturn$/.test(name)));
  const lacks = (list, name) => !list.some((other) => familyOf(other) === familyOf(name));
  const ask = (name, has, hasNot, words, side) => {
    const rest = [...has.filter((other) => !lacks(hasNot, other)), ...hasNot];
    const tempting = [...hasNot.filter((other) => lacks(has, other)), ...rest.filter((other) => !everyday.includes(other)), ...rest];
    return {
      kind: 'presence', order: -1, isDifference: true,
      answerIn: (stories) => (namesIn(stories[side]).includes(name) && lacks(namesIn(stories[side === 'here' ? 'there' : 'here']), name) ? name : null),
      text: `From the start of the server to the end of the session, which of these calls ${words}?`,
      choices: withoutFamily(tempting, name), nameValue: nameCallInWords,
      about: name, topics: [`presence/${words}`, name], calls: [name],
      spotsIn: ({ here: story }) => (side === 'here' ? findFirst(story, name) : []),
    };
  };
  return [
    ...mine.filter((name) => lacks(yours, name)).map((name) => ask(name, mine, yours, `does ${names.here} make, and ${names.there} does not`, 'here')),
    ...yours.filter((name) => lacks(mine, name)).map((name) => ask(name, yours, mine, `does ${names.there} make, and ${names.here} no longer`, 'there')),
  ];
}

// Every chapter's server makes these when it starts.
const everyday = ['socket', 'setsockopt', 'bind', 'listen', 'getsockname'];

function findFirst(story, name) {
  const step = story.findIndex(({ lines }) => lines.some(({ call }) => call?.name === name));
  return step === -1 ? [] : [{ step, line: story[step].lines.findIndex(({ call }) => call?.name === name) }];
}

// --- What comes of it (two clients) -----------------------------------------------------------------

function askOutcome({ here }) {
  return here.filter(({ title, heading }) => title !== heading).map(({ heading }) => {
    const answerIn = ({ here: story }) => {
      const step = story[findStep(story, heading)];
      return step === undefined ? null : step.isEcho ? 'served' : 'waits';
    };
    return {
      kind: 'outcome', order: here.findIndex((step) => step.heading === heading), answerIn, answerElsewhere: fromThere(answerIn),
      text: `${startSentence(heading)}, while the first one is connected and silent. What does it get?`,
      choices: ['served', 'waits'], fewest: 2, isFixed: true,
      nameValue: (value) => ({ served: 'its echo, at once', waits: 'nothing, as long as the first one stays' })[value],
      topics: [`${heading}/outcome`], calls: ['accept', 'accept4'],
      spotsIn: ({ here: story }) => wholeStep(story, heading),
    };
  });
}
