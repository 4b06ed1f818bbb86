// A question: made from two recordings, answered by a third.

import { hashOf } from '../progress.mjs';
import { shuffle } from './random.mjs';

/**
 * Completes a question, or gives null where it is none. `draft` has
 *   kind      who, next, result, asleep, count, argument, presence, compare, outcome, packet, state
 *   order     the number of the step that it is about: questions are asked in the order of the session
 *   text      its words, with the chapters' names as they are; `lines` are shown under it as they stand in a trace
 *   about     what tells two questions with the same words from each other
 *   answerIn  a function ({here, there}) that reads the right answer from recordings: a text, a number, or null where
 *             they do not tell. Everything about right and wrong goes through it
 *   isDifference  whether the other chapter's recording would answer otherwise; or
 *   answerElsewhere  what it would answer: a function like answerIn
 *   choices   candidates for the other options, the most tempting first: values as answerIn gives them; without them the
 *             answer is a number
 *   nameValue a function that puts a value into words
 *   isFixed   the options keep their order
 *   topics    words that another question of the same set should not be about
 *   spotsIn   a function ({here, there}) that gives the lines which show the answer: [{step, line}], of `here`, or of `there` where it isGone
 *   isGone    it is about what the other chapter alone does: its recording and its code show the answer
 *   calls     names of the system calls whose place in the code is worth a look
 */
export function completeQuestion(draft, recordings) {
  const answer = draft.answerIn(recordings);
  if (answer === null || answer === undefined || answer === Infinity) return null;
  const question = { nameValue: String, topics: [], calls: [], lines: [], about: '', spotsIn: () => [], isFixed: false, ...draft };
  const values = draft.choices === undefined ? null : chooseValues(answer, question);
  if (values !== null && values.length < (question.fewest ?? 3)) return null;
  const words = [question.text, ...question.lines].join('\n').replace(/\b\d\d-(?=[a-z])/g, '');
  return {
    ...question,
    id: hashOf(`${words}\n${question.about}`),
    hash: hashOf(`${words}\n${answer}`), // where the answer has changed, it is another question
    values,
    isDifference: recordings.there.length > 0 && (question.isDifference ?? question.answerElsewhere(recordings) !== answer),
  };
}

const most = 4; // options

/** The right answer and the best of the others, each once. */
function chooseValues(answer, { choices, nameValue, isFixed }) {
  if (isFixed) return choices.includes(answer) ? choices : [];
  const values = [answer];
  for (const value of choices) {
    const isNew = value !== null && value !== undefined && !values.some((other) => nameValue(other) === nameValue(value));
    if (isNew && values.length < most) values.push(value);
  }
  return values;
}

/** The options of a question in the order in which the seed has them, 'none' at the end: [{letter, value, text}]; null for a number. */
export function listOptions({ id, values, nameValue, isFixed }, seed) {
  if (values === null) return null;
  const ordered = isFixed ? values : shuffle([...values].sort(), String(seed), id).sort((a, b) => Number(a === 'none') - Number(b === 'none'));
  return ordered.map((value, at) => ({ letter: 'ABCDEFGH'[at], value, text: nameValue(value) }));
}
