// Chooses which questions are asked: what comes back first, and then a mixture that the seed decides.

import { findAnswers } from './journal.mjs';
import { shuffle } from './random.mjs';

/**
 * {returning, fresh}: at most `count` questions. `returning` are those that were wrong at the last time, the surest first,
 * and those that are due again, by the journal `progress`; without one there are none. `place` is where they are asked
 * (journal.mjs). `fresh` are chosen by the seed: what
 * has changed before what has stayed, and as different from each other as there are.
 */
export function chooseQuestions(questions, { count, seed, chapter, place, progress = null, now = Date.now() }) {
  const unique = [...new Map(questions.map((question) => [question.id, question])).values()];
  const returning = progress === null ? [] : findReturning(unique, progress, chapter, place, now).slice(0, count);
  const rest = shuffle(unique.filter((question) => !returning.includes(question)).sort((a, b) => (a.id < b.id ? -1 : 1)), String(seed));
  const chosen = [...returning];
  while (chosen.length < count && rest.length > 0) {
    const costs = rest.map((question) => findCost(question, chosen, progress, chapter, place));
    chosen.push(...rest.splice(costs.indexOf(Math.min(...costs)), 1));
  }
  return { returning, fresh: inOrder(chosen.slice(returning.length)) };
}

const inOrder = (questions) => questions.map((question, at) => [question, at])
  .sort(([a, i], [b, j]) => a.order - b.order || i - j).map(([question]) => question);

function findReturning(questions, progress, chapter, place, now) {
  const known = questions.map((question) => {
    const { entries, due } = findAnswers(progress, chapter, place, question);
    const last = entries.at(-1);
    // Wrong: 3 to 1 as he was sure; right and due again: 0.
    return due <= now ? { question, weight: last.result === 'wrong' ? last.number : 0, time: last.time } : null;
  }).filter(Boolean);
  return known.sort((a, b) => b.weight - a.weight || a.time.localeCompare(b.time)).map(({ question }) => question);
}

// More than a second question of the same kind costs, less than a third.
const costOfSameness = 14;

function findCost(question, chosen, progress, chapter, place) {
  const sharing = (list, other) => list.filter((topic) => other.topics.includes(topic)).length;
  const isKnown = progress !== null && findAnswers(progress, chapter, place, question).entries.length > 0;
  return (question.isDifference ? 0 : costOfSameness) + (isKnown ? 50 : 0)
    + chosen.reduce((sum, other) => sum + (other.kind === question.kind ? 4 : 0) + (other.order === question.order ? 1 : 0)
      + (sharing(question.topics, other) > 0 ? 8 : 0), 0);
}
