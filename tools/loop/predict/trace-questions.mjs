// Questions about system calls, from the difference of two stories.

import { askNext, askRest, askResult, askWho } from './ask-acts.mjs';
import { askArgument, askFlag } from './ask-arguments.mjs';
import { askAlive, askCount, askEcho } from './ask-counts.mjs';
import { askOutcome, askPresence } from './ask-presence.mjs';
import { findStep } from './facts.mjs';
import { completeQuestion } from './question.mjs';
import { makeNames } from './words.mjs';

/**
 * All questions that can be asked of `here`, the story of the chapter `names.here`, beside `there`, that of `names.there`;
 * `there` is null where there is no other.
 */
export function makeTraceQuestions({ here, there }, names) {
  const recordings = { here, there: there ?? [] };
  // What every maker of questions gets: both stories, the chapters' names, words for the kinds of roles, the steps.
  const subject = { ...recordings, names, nameKind: makeNames(here, recordings.there), steps: findSharedSteps(here, there) };
  const makers = [askWho, askNext, askResult, askRest, askCount, askAlive, askEcho, askArgument, askFlag, askPresence, askOutcome];
  return makers.flatMap((make) => make(subject)).map((draft) => completeQuestion(draft, recordings)).filter(Boolean);
}

/** The steps that both stories have (all of them where there is one story alone): [{heading, order}]. */
function findSharedSteps(here, there) {
  return here.map(({ heading }, order) => ({ heading, order })).filter(({ heading }) => there === null || findStep(there, heading) !== -1);
}
