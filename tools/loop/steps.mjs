// How far the learner is: what has been done of each chapter, what is due, and the one thing to do next.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isSideRoad, listChapters } from '../chapters.mjs';
import { listDueTasks } from './practice/choose.mjs';
import { listDuePredictions } from './predict/journal.mjs';
import { countStandings } from './quiz-overview.mjs';
import { nameOf } from './progress.mjs';
import { readQuestions } from './questions.mjs';
import { count } from './speech.mjs';

/** The steps of a chapter that leave a trace, in their order. Reading and ./learn diff come before them, and leave none. */
export const steps = ['predict', 'quiz', 'test', 'practice'];

/**
 * What tools/learn/state.sh knows, in the form in which it hands it over: {tests: Map(chapter -> {state, isChanged, idea}),
 * impossible: [step...]}. A chapter of which nothing is known has not been tested.
 */
export function readStates(environment = process.env) {
  const lines = (environment.LEARN_TESTS ?? '').split('\n').filter((line) => line !== '').map((line) => line.split('\t'));
  const tests = new Map(lines.map(([chapter, state, changed, idea = '']) => [chapter, { state, isChanged: changed === 'changed', idea }]));
  return { tests, impossible: (environment.LEARN_CANNOT ?? '').split(' ').filter(Boolean) };
}

/**
 * For each chapter {chapter, number, state, isChanged, idea, predict: {asked, right}, quiz: {total, asked, right, due},
 * bugs and exercises: {total, finished}, due: Map(kind -> how many), duePredictions: [{command, count}], isBegun, open: [step...]}: open are the steps that
 * are not done. Practice is done with one bug or exercise: more of them are a choice. What is due is so by `now`.
 */
export function surveyChapters(root, progress, { tests, impossible } = readStates(), now = Date.now()) {
  return listChapters(root).map((chapter) => {
    const { state = 'not tested', isChanged = false, idea = '' } = tests.get(chapter) ?? {};
    const entries = progress.find({ chapter });
    const quiz = countStandings(progress, readQuestions(root, chapter).questions, now);
    const duePredictions = listDuePredictions(root, progress, chapter, now);
    const survey = {
      chapter, number: Number(chapter.slice(0, 2)), state, isChanged, idea, quiz,
      predict: countPredictions(entries),
      bugs: countPractice(root, chapter, 'bug', 'bugs', entries),
      exercises: countPractice(root, chapter, 'exercise', 'exercises', entries),
      due: new Map([['quiz', quiz.due], ['predict', sumOf(duePredictions)], ...countDuePractice(root, progress, chapter, now)]),
      duePredictions,
      isBegun: entries.some(({ kind }) => kind !== 'test'),
    };
    return { ...survey, open: listOpen(survey, impossible) };
  });
}

// The last entry of each id.
const lastOfEach = (entries) => [...new Map(entries.map((entry) => [entry.id, entry])).values()];

function countPredictions(entries) {
  const last = lastOfEach(entries.filter(({ kind }) => kind === 'predict'));
  return { asked: last.length, right: last.filter(({ result }) => result === 'right').length };
}

function countPractice(root, chapter, kind, folder, entries) {
  const path = join(root, 'tests', folder, chapter);
  const total = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.patch')).length : 0;
  const of = entries.filter((entry) => entry.kind === kind);
  const finished = new Set(of.filter(({ result }) => ['found', 'done'].includes(result)).map(({ id }) => id)).size;
  return { total: Math.max(total, finished), finished, wasTried: of.some(({ result }) => result !== 'begun') };
}

const sumOf = (groups) => groups.reduce((total, group) => total + group.count, 0);

// What ./learn practice --mix gives, and no more.
function countDuePractice(root, progress, chapter, now) {
  const due = listDueTasks(root, progress, chapter, now);
  return ['bug', 'exercise'].map((kind) => [kind, due.filter(({ task }) => task.kind === kind).length]);
}

function listOpen({ state, predict, quiz, bugs, exercises }, impossible) {
  const isOpen = {
    predict: predict.asked === 0,
    quiz: quiz.asked < quiz.total,
    test: state !== 'passed' && state !== 'skipped', // Where the machine lets none of them run, there is nothing to do.
    practice: bugs.total + exercises.total > 0 && !bugs.wasTried && !exercises.wasTried,
  };
  return steps.filter((step) => isOpen[step] && !impossible.includes(step));
}

/** The one thing to do next: {command, reason}, of the chapters that surveyChapters() gives. */
export function findNext(root, chapters) {
  const broken = chapters.find(({ state, isChanged }) => isChanged && /^(failed|stale)/.test(state));
  if (broken) return { command: `./learn test ${broken.number}`, reason: explainBroken(broken) };
  const current = chapters.find(({ isBegun, open }) => isBegun && open.length > 0);
  if (current) return explainStep(current);
  const isFinished = ({ isBegun, open }) => isBegun && open.length === 0;
  const last = chapters.findLastIndex(isFinished);
  const next = chapters.slice(last + 1)[0] ?? chapters.find((chapter) => !isFinished(chapter));
  if (next) return explainChapter(root, next, chapters[last]);
  return explainEnd(chapters);
}

const explainBroken = ({ chapter, state }) => (state.startsWith('failed')
  ? `you have changed ${chapter}, and its tests ${state}`
  : `you have changed ${chapter} since its tests have run`);

function explainStep({ chapter, number, open: [step], state, quiz, bugs, exercises }) {
  const commands = { predict: 'predict', quiz: 'quiz', test: 'test', practice: 'practice' };
  const stock = [...(bugs.total > 0 ? [count(bugs.total, 'bug')] : []), ...(exercises.total > 0 ? [count(exercises.total, 'exercise')] : [])].join(' and ');
  const reasons = {
    predict: `you have begun ${chapter}, and predicted nothing of it yet`,
    quiz: quiz.asked === 0 ? `its ${count(quiz.total, 'question')} have not been asked yet` : `${quiz.total - quiz.asked} of the ${quiz.total} questions of ${chapter} ${quiz.total - quiz.asked === 1 ? 'has' : 'have'} not been asked yet`,
    test: explainTests(chapter, state),
    practice: `of ${chapter} ${stock} wait${bugs.total + exercises.total === 1 ? 's' : ''} for you; one is enough to go on`,
  };
  return { command: `./learn ${commands[step]} ${number}`, reason: reasons[step] };
}

function explainTests(chapter, state) {
  if (state.startsWith('failed')) return `the tests of ${chapter} ${state}`;
  if (state.startsWith('stale')) return `${chapter}, its tests or what they share has changed since they ran`;
  return `the tests of ${chapter} have not run yet`;
}

// The first command of the first chapter starts its server; later the difference comes first.
function explainChapter(root, { chapter, number, isBegun, open }, before) {
  const first = number === 1 ? './learn run 1' : `./learn diff ${number}`;
  const then = open[0] === undefined ? '' : `, then ./learn ${open[0]} ${number}`;
  const text = existsSync(join(root, `docs/${chapter}.md`)) ? `read docs/${chapter}.md (and ${first})${then}` : `${first}${then}`;
  const reason = before && !isBegun && before.number === number - 1 ? `${before.chapter} is done` : `nothing of ${chapter} is noted yet: no prediction, no answer, no bug`;
  return { command: text, reason: isSideRoad(root, chapter) ? `${reason}; ${chapter} is a side road, which you may skip at first` : reason };
}

function explainEnd(chapters) {
  const left = chapters.reduce((sum, { bugs }) => sum + bugs.total - bugs.finished, 0);
  if (left > 0) return { command: './learn practice --mix', reason: `each chapter has had its predictions, questions, tests and a bug; ${count(left, 'bug')} are left to find` };
  return { command: './learn progress', reason: 'nothing is left that has not been done once; it says what comes back, and when' };
}

/** What is due of all chapters, as words with the command for it; empty when nothing is. */
export function listDue(chapters) {
  const of = (kind) => chapters.filter(({ due }) => due.get(kind) > 0);
  const sum = (kind) => of(kind).reduce((total, { due }) => total + due.get(kind), 0);
  const parts = [];
  if (sum('quiz') > 0) parts.push(`${count(sum('quiz'), 'question')} (./learn quiz --mix)`);
  const practice = sum('bug') + sum('exercise');
  if (practice > 0) parts.push(`${[...(sum('bug') > 0 ? [count(sum('bug'), 'bug')] : []), ...(sum('exercise') > 0 ? [count(sum('exercise'), 'exercise')] : [])].join(' and ')} (./learn practice --mix)`);
  const predictions = chapters.flatMap(({ duePredictions }) => duePredictions);
  if (predictions.length > 0) parts.push(describePredictions(predictions));
  return parts;
}

// Each command asks its own; the first one is named.
function describePredictions([first, ...more]) {
  const all = sumOf([first, ...more]);
  return `${count(all, 'prediction')} (${more.length > 0 ? `${first.count} of them: ` : ''}${first.command})`;
}
