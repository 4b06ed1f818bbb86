// ./learn quiz: the questions of the chapters' texts, one at a time.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { listChapters } from '../chapters.mjs';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { runTool } from '../observe/program.mjs';
import { Dialogue } from './dialogue.mjs';
import { readOptions } from './options.mjs';
import { Progress } from './progress.mjs';
import { findStanding, readQuestions } from './questions.mjs';
import { countStandings, formatStandings } from './quiz-overview.mjs';
import { QuizSession } from './quiz-session.mjs';
import { count, formatDay } from './speech.mjs';
import { findChapter } from './words.mjs';

const usage = './learn quiz [CHAPTER] [--again] [--mix] [--overview] [--plain]';
const flag = { type: 'boolean', default: false };

await runTool('quiz', usage, async (scope) => {
  const { values, positionals: [word] } = readOptions('quiz', process.argv.slice(2), { again: flag, mix: flag, overview: flag, plain: flag });
  if (values.mix && word !== undefined) throw new UsageProblem('--mix asks what is due of all chapters: name no chapter beside it');
  if (values.overview && (values.mix || values.again)) throw new UsageProblem(`--overview asks nothing: leave ${values.mix ? '--mix' : '--again'} out`);
  const root = process.env.LEARN_ROOT ?? process.cwd();
  const chapters = listChapters(root);
  if (chapters.length === 0) throw new Problem(`there is no chapter in ${root}/chapters`);
  const chapter = word === undefined ? undefined : findChapter(root, word);
  const progress = new Progress(root);

  if (values.overview) return showOverview(root, progress, chapter === undefined ? chapters : [chapter]);
  const plan = values.mix ? planMix(root, progress, chapters, values.again) : planChapter(root, progress, chapter ?? chooseChapter(root, progress, chapters), values.again);
  const dialogue = new Dialogue(scope, { plain: values.plain });
  for (const sentence of plan.unreadable) process.stderr.write(`quiz: left out, since it cannot be read: ${sentence}\n`);
  dialogue.say(plan.opening);
  if (plan.questions.length > 0) await hold(scope, dialogue, progress, plan);
});

// The first chapter of which not every question has been answered right; the first one when all have been.
function chooseChapter(root, progress, chapters) {
  return chapters.find((chapter) => readQuestions(root, chapter).questions.some((question) => !findStanding(progress, question).isRight)) ?? chapters[0];
}

function planChapter(root, progress, chapter, again) {
  const { path, questions, unreadable } = readQuestions(root, chapter);
  if (!existsSync(join(root, path))) throw new Problem(`${chapter} has no text, and so no questions: there is no ${path}`);
  if (questions.length === 0) throw new Problem(unreadable[0] === undefined ? `${path} has no questions` : `${path} has no question that can be read: ${unreadable[0]}`);
  const number = Number(chapter.slice(0, 2));
  const open = again ? questions : questions.filter((question) => !findStanding(progress, question).isRight);
  const left = questions.length - open.length;
  const opening = open.length === 0
    ? `${chapter}: you have answered all ${count(questions.length, 'question')}, and each right at the first try the last time. All of them again: ./learn quiz ${number} --again`
    : `${chapter}: ${count(open.length, 'question')}.${left > 0 ? ` (${left} more you have answered right; these, too: --again)` : ''} Ctrl-D leaves; what you have answered stays.`;
  return { questions: open, unreadable, opening, titleOf: (index) => `Question ${index + 1} of ${open.length}`, goOn: `./learn quiz ${number}` };
}

// What has been answered wrong comes first, then what has been due for the longest time.
function planMix(root, progress, chapters, again) {
  const all = chapters.map((chapter) => readQuestions(root, chapter));
  const now = Date.now();
  const asked = all.flatMap(({ questions }) => questions).map((question) => ({ question, ...findStanding(progress, question) })).filter(({ isAsked }) => isAsked);
  const due = asked.filter((standing) => again || standing.due <= now)
    .sort((a, b) => Number(a.isRight) - Number(b.isRight) || a.due - b.due).map(({ question }) => question);
  return {
    questions: due,
    unreadable: [],
    opening: due.length > 0 ? `${count(due.length, 'question')} of ${count(new Set(due.map(({ chapter }) => chapter)).size, 'chapter')}. Ctrl-D leaves; what you have answered stays.` : explainNothingDue(asked),
    titleOf: (index) => `Question ${index + 1} of ${due.length}, from ${due[index].chapter}`,
    goOn: './learn quiz --mix',
  };
}

function explainNothingDue(asked) {
  if (asked.length === 0) return 'Nothing is due: you have answered no question yet. The first ones: ./learn quiz 1';
  const next = formatDay(Math.min(...asked.map(({ due }) => due)));
  return `Nothing is due. Of the ${count(asked.length, 'question')} that you have answered, the next comes back on ${next}. All of them now: ./learn quiz --mix --again`;
}

async function hold(scope, dialogue, progress, { questions, titleOf, goOn }) {
  const session = new QuizSession(scope, dialogue, progress);
  let isLeft = false;
  for (const [index, question] of questions.entries()) {
    isLeft = !await session.ask(question, titleOf(index));
    if (isLeft) break;
  }
  const wrong = session.answered - session.rightAtFirst;
  dialogue.say();
  if (session.answered === 0) return dialogue.say(`Nothing was answered. The questions are still there: ${goOn}`);
  const all = session.answered === questions.length;
  dialogue.say(`${all ? '' : `${session.answered} of `}${count(questions.length, 'question')}: ${session.rightAtFirst} right at the first try.`);
  if (wrong > 0 && progress.complaint === null) dialogue.say(`${wrong === 1 ? 'One comes' : `${wrong} come`} back: ./learn quiz --mix`);
  if (isLeft && !all) dialogue.say(`The rest: ${goOn}`);
}

function showOverview(root, progress, chapters) {
  const now = Date.now();
  const rows = chapters.map((chapter) => ({ chapter, ...countStandings(progress, readQuestions(root, chapter).questions, now) }));
  const due = rows.reduce((sum, row) => sum + row.due, 0);
  process.stdout.write(`${formatStandings(rows)}\n\nright: at the first try, the last time\n${due > 0 ? `due: ${due} in all, ./learn quiz --mix\n` : 'due: nothing\n'}`);
}
