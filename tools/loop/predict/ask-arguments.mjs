// Asks for an argument or a flag that the other chapter does not have.

import { familyOf, kindOf, kinds, linesOf } from './facts.mjs';
import { spotsOf } from './trace-subject.mjs';
import { describeStep, nameCallInWords } from './words.mjs';

// What the arguments are called, where their place alone says little (man pages, section 2).
const argumentNames = {
  io_uring_enter: [null, 'how many entries are handed to the kernel', 'for how many completions it waits'],
};

export function askArgument(subject) {
  return alignCalls(subject).flatMap(({ heading, order, kind, call, other, nth }) => {
    const at = call.name === other.name ? findDifference(call, other) : -1;
    if (at === -1) return [];
    const meaning = argumentNames[call.name]?.[at];
    const all = [subject.here, subject.there].flatMap((story) => story.flatMap(({ lines }) => lines.flatMap((line) => (
      line.call?.name === call.name ? line.call.args[at] ?? [] : []))));
    return [{
      ...makeCallDraft(heading, order, kind, call, nth), kind: 'argument',
      answerIn: ({ here: story }) => findCall(story, heading, kind, call.name, nth)?.args[at] ?? null,
      text: `${describeStep(heading)} What stands in the place of the question mark${meaning ? ` (${meaning})` : ''}, `
        + `in the ${ordinals[nth]} call of ${nameCallInWords(call.name)} that begins in this step?`,
      lines: [`${call.name}(${call.args.map((text, place) => (place === at ? '?' : isSureArgument(text) ? text : '…')).join(', ')})`],
      choices: [other.args[at], ...all, ...neighboursOf(call.args[at])].filter(isSureArgument),
    }];
  });
}

const none = 'none';

export function askFlag(subject) {
  return alignCalls(subject).flatMap(({ heading, order, kind, call, other, nth }) => {
    const [mine, yours] = [listFlags(call), listFlags(other)];
    return varying.includes(call.name) ? [] : mine.filter((flag) => !yours.includes(flag)).map((flag) => ({
      ...makeCallDraft(heading, order, kind, call, nth), kind: 'argument', about: flag,
      answerIn: ({ here: story }) => {
        const found = findCall(story, heading, kind, call.name, nth);
        return found === undefined ? null : listFlags(found).includes(flag) ? flag : none;
      },
      text: `${describeStep(heading)} The ${ordinals[nth]} call of ${nameCallInWords(call.name)} that begins in this step: `
        + `which of these words has it among its arguments in ${subject.names.here}, and not in ${subject.names.there}?`,
      choices: [none, ...yours], fewest: 2,
      nameValue: (value) => (value === none ? 'none of the others: what they say has been there before' : value),
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
