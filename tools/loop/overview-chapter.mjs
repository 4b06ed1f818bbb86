// What has been done of one chapter: ./learn progress CHAPTER.

import { renderMarkdown } from './markdown.mjs';
import { listReadableTasks } from './practice/stock.mjs';
import { findStanding, readQuestions } from './questions.mjs';
import { count, formatDay } from './speech.mjs';

const wordsOf = { found: 'found', done: 'done', 'given-up': 'given up', begun: 'begun' };

/** Lines for a survey of steps.mjs: each step, and below it what it is made of. */
export function describeChapter(root, progress, survey, width, paint) {
  const { chapter, state, predict, exercises, bugs } = survey;
  const lines = [paint('bold', chapter), `tests: ${state}${describeLastRun(progress, chapter)}`];
  lines.push(predict.asked > 0 ? `predict: ${predict.right} of ${count(predict.asked, 'prediction')} right` : 'predict: nothing yet');
  lines.push(...describeQuiz(root, progress, chapter));
  lines.push(...describePractice(root, progress, chapter, 'bug', bugs), ...describePractice(root, progress, chapter, 'exercise', exercises));
  return lines;
}

function describeLastRun(progress, chapter) {
  const last = progress.find({ chapter, kind: 'test' }).at(-1);
  return last ? ` (last run on ${formatDay(Date.parse(last.time))})` : '';
}

function describeQuiz(root, progress, chapter) {
  const { questions } = readQuestions(root, chapter);
  if (questions.length === 0) return ['quiz: the text has no questions'];
  return ['quiz:', ...questions.map((question) => {
    const { isAsked, isRight, due } = findStanding(progress, question);
    const standing = !isAsked ? 'not asked' : isRight ? 'right' : 'wrong';
    return `- ${standing}${describeDue(due)}: ${renderMarkdown(question.wording).split('\n')[0]}`;
  })];
}

function describePractice(root, progress, chapter, kind, { total }) {
  const entries = progress.find({ chapter, kind });
  if (total === 0 && entries.length === 0) return [];
  const last = [...new Map(entries.map((entry) => [entry.id, entry])).values()];
  const stock = listReadableTasks(root, chapter);
  const isInStock = (id, hash) => stock.some((task) => task.kind === kind && task.id === id && task.hash === hash);
  const left = Math.max(0, total - last.length);
  return [`${kind}s:`, ...last.map(({ id, hash, result, number }) => `- ${id} ${wordsOf[result]}`
    + `${result !== 'begun' && number > 0 ? ` with ${count(number, 'hint')}` : ''}`
    + `${isInStock(id, hash) ? describeDue(progress.dueAt({ chapter, kind, id, hash })) : '; today there is another one of that name, or none'}`),
  ...(left > 0 ? [`- ${left}${last.length > 0 ? ' more' : ''} not begun`] : [])];
}

const describeDue = (due) => (due === Infinity ? '' : due <= Date.now() ? ', due' : `, due on ${formatDay(due)}`);
