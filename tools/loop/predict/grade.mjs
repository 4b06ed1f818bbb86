// Grades answers by a recording.

import { idOf } from './journal.mjs';

/**
 * [{question, number, value, sureness, right, isOther, outcome}] for the answers [{question, number, value, sureness}]; `value` is null where the
 * learner did not know. `outcome` is 'right', 'wrong', or 'void' where the recording does not tell, or tells what was
 * none of the options; `isOther` says that it differs from the recording from which the question was made.
 */
export function gradeAnswers(answers, recordings, earlier) {
  return answers.map((answer) => {
    const { question, value } = answer;
    const right = question.answerIn(recordings);
    const isOther = right !== question.answerIn(earlier);
    const isKnown = right !== null && right !== undefined && right !== Infinity && (question.values === null || question.values.includes(right));
    return { ...answer, right, isOther, outcome: !isKnown ? 'void' : value === right ? 'right' : 'wrong' };
  });
}

/** What was sure and wrong comes first. */
export const sortMisses = (graded) => graded.filter(({ outcome }) => outcome === 'wrong').sort((a, b) => b.sureness - a.sureness);

/** Writes them into the journal, with the `place` where they were asked; what counts for nothing is left out. */
export function noteAnswers(progress, chapter, place, graded) {
  for (const { question, sureness, outcome } of graded) {
    if (outcome !== 'void') progress.add({ chapter, kind: 'predict', id: idOf(place, question), hash: question.hash, result: outcome, number: sureness });
  }
}
