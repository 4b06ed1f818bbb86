// What the questions about system calls share.

import { familyOf, findStep } from './facts.mjs';

/** The same question with the two stories exchanged: what the other chapter would answer. */
export const fromThere = (answerIn) => ({ here, there }) => answerIn({ here: there, there: here });

export const union = (...lists) => [...new Set(lists.flat())];

/** Where in a step the lines are that `isMeant` chooses. */
export function spotsOf(story, heading, isMeant) {
  const step = findStep(story, heading);
  return (story[step]?.lines ?? []).flatMap((line, at) => (isMeant(line) ? [{ step, line: at }] : []));
}

export const wholeStep = (story, heading) => {
  const step = findStep(story, heading);
  return step === -1 ? [] : [{ step, line: null }];
};

// Of these no text speaks at length.
export const dull = ['socket', 'setsockopt', 'getsockname'];

/** Whether a line belongs to a report on stderr, of which the texts show the words and not the calls. */
export const isReport = ({ call }) => call?.name === 'pwritev2' || (call?.name === 'rt_sigprocmask' && call.args[1]?.includes('PIPE'));

// How a ring is set up depends on the kernel.
export const setsUpRing = /^io_uring_(setup|register)$/;

// Every chapter's server makes these when it starts.
export const everyday = ['socket', 'setsockopt', 'bind', 'listen', 'getsockname'];

/** Names that are not other forms of `right` and not of each other: `accept` beside `accept4` would be a trap. */
export function withoutFamily(names, right) {
  const families = new Set([familyOf(right)]);
  return names.filter((name) => !families.has(familyOf(name)) && families.add(familyOf(name)));
}
