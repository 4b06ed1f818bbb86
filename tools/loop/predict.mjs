#!/usr/bin/env node
// Asks what the kernel will show of a chapter's server, records it, and grades the answers by the recording.

import { findChapterBefore, listChapters } from '../chapters.mjs';
import { readChoice, readNumber } from '../observe/command-line.mjs';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { runTool } from '../observe/program.mjs';
import { build } from './build.mjs';
import { Dialogue } from './dialogue.mjs';
import { chooseQuestions } from './predict/choose.mjs';
import { askQuestions } from './predict/conversation.mjs';
import { gradeAnswers, noteAnswers } from './predict/grade.mjs';
import { listDuePredictions } from './predict/journal.mjs';
import { drawSeed } from './predict/random.mjs';
import { descriptions, findServer, viewpoints } from './predict/record.mjs';
import { report } from './predict/report.mjs';
import { readOptions as readWordsOf } from './options.mjs';
import { nameOf, Progress } from './progress.mjs';
import { findChapter } from './words.mjs';

const root = process.env.LEARN_ROOT ?? process.cwd();
const usage = 'predict [CHAPTER] [--against CHAPTER] [--packets] [--session NAME] [--seed N] [--questions N] [--plain]';

runTool('predict', usage, async (scope) => {
  const progress = new Progress(root);
  const options = readOptions(process.argv.slice(2), progress);
  const { view, chapter, other } = options;
  await view.demand(scope); // before anybody has waited for a build, or thought about a question
  await build(scope, root, [chapter, other].filter(Boolean), ['build', view.group]);
  const dialogue = new Dialogue(scope, { plain: options.plain });
  const { recordings, session, questions } = await prepare(scope, { ...options, progress });
  const place = { view: view.name, session, other };
  const { returning, fresh } = chooseQuestions(questions, { ...options, place, progress: options.isSeedGiven ? null : progress });
  const set = [...returning, ...fresh];
  if (set.length === 0) throw new Problem(`there is nothing to ask about ${chapter} in the session '${session}'`);
  introduce(dialogue, { ...options, session, set, returning, questions });

  const answers = [];
  let isOver = false; // by Ctrl-C, which has noted what there was
  scope.defer(() => {
    isOver = true;
    noteLeftovers(progress, chapter, place, answers.splice(0), recordings);
  });
  const isWhole = await askQuestions(dialogue, set, options.seed, answers);
  if (isOver) return;
  if (answers.length === 0) {
    process.stderr.write('predict: no question was answered, and nothing is noted\n');
    return; // To leave is no failure.
  }
  if (!isWhole) dialogue.say(`\nThe end of the input: ${answers.length} of ${set.length} answered, and these are graded.`);

  const graded = await grade(scope, dialogue, answers, { ...options, session, recordings });
  noteAnswers(progress, chapter, place, graded.answers);
  answers.length = 0;
  report(dialogue, graded, { root, chapter, other, view, session });
});

/** After Ctrl-C: what was answered is graded by the recording that is there, and kept. */
function noteLeftovers(progress, chapter, place, answers, recordings) {
  if (answers.length === 0) return;
  noteAnswers(progress, chapter, place, gradeAnswers(answers, recordings, recordings));
  process.stderr.write(`\nnoted: ${answers.length} answer${answers.length === 1 ? '' : 's'}, graded by the recording from before the questions\n`);
}

function readOptions(words, progress) {
  const { values, positionals } = parse(words);
  const [word, surplus] = positionals;
  if (surplus !== undefined) throw new UsageProblem(`'${surplus}' is one word too many: the other chapter is named with --against`);
  const view = values.packets ? viewpoints.packets : viewpoints.trace;
  const isSessionGiven = values.session !== undefined;
  const session = readChoice(values, 'session', view.sessions);
  const seed = readNumber(values, 'seed', { fallback: undefined, minimum: 0, maximum: 999_999_999 });
  const count = readNumber(values, 'questions', { fallback: 5, minimum: 1, maximum: 50 });
  const chapter = word === undefined ? chooseChapter(progress) : findChapter(root, word);
  return {
    view, session, isSessionGiven, chapter, count, plain: values.plain, isChapterGiven: word !== undefined,
    other: findOther(chapter, values.against), seed: seed ?? drawSeed(), isSeedGiven: seed !== undefined,
  };
}

function parse(words) {
  const options = {
    against: { type: 'string' }, packets: { type: 'boolean' }, session: { type: 'string' }, seed: { type: 'string' },
    questions: { type: 'string' }, plain: { type: 'boolean' },
  };
  return readWordsOf('predict', words, options, Infinity);
}

/** The first chapter of which nothing has been predicted yet; when there is none, the one that was longest ago. */
function chooseChapter(progress) {
  const chapters = listChapters(root);
  if (chapters.length === 0) throw new Problem(`there is no chapter in ${root}/chapters`);
  const lastTimes = chapters.map((name) => progress.find({ chapter: name, kind: 'predict' }).at(-1)?.time ?? '');
  return chapters[lastTimes.indexOf([...lastTimes].sort()[0])];
}

/** The chapter that the questions are beside: the named one, or the one before on the road; undefined for the first. */
function findOther(chapter, word) {
  if (word === undefined) return findChapterBefore(root, chapter);
  const other = findChapter(root, word);
  if (other === chapter) throw new UsageProblem(`--against ${word} is the chapter itself; name another one`);
  return other;
}

const fewestDifferences = 2;

/**
 * Records both chapters, and makes the questions: {recordings, session, questions}. Where the learner has named no session
 * and this one shows no difference to speak of, the others are tried; but what is due of it is asked in it.
 */
async function prepare(scope, { view, session, isSessionGiven, isSeedGiven, progress, chapter, other, names = { here: chapter, there: other } }) {
  process.stderr.write(`recording ${other ? `${other} and ${chapter}` : chapter}, for the questions ...\n`);
  const isDue = !isSeedGiven && listDuePredictions(root, progress, chapter)
    .some((due) => due.view === view.name && due.session === session && due.other === other);
  const sessions = isSessionGiven || isDue || other === undefined ? [session] : view.sessions;
  let best;
  for (const name of sessions) {
    const here = await recordChapter(scope, view, chapter, name);
    const there = other === undefined ? null : await recordChapter(scope, view, other, name);
    const questions = view.makeQuestions({ here, there }, names);
    const differences = questions.filter(({ isDifference }) => isDifference).length;
    if (best === undefined || differences > best.differences) {
      best = { recordings: { here, there: there ?? [] }, session: name, questions, differences };
    }
    if (best.differences >= fewestDifferences) break;
  }
  return best;
}

async function recordChapter(scope, view, chapter, session) {
  const { executable, serverOptions } = findServer(root, chapter);
  return view.record(scope, executable, { session, serverOptions });
}

function introduce(dialogue, { view, chapter, other, session, set, returning, questions, seed, isSeedGiven, isChapterGiven, count }) {
  const { paint } = dialogue;
  const changed = questions.filter(({ isDifference }) => isDifference).length;
  const beside = other ? ` beside ${other}` : '';
  dialogue.say(paint('bold', `${chapter}${beside}: ${set.length} question${set.length === 1 ? '' : 's'} about its ${view.what}`));
  dialogue.say(`The session: ${descriptions[session]}.`);
  if ([chapter, other].filter(Boolean).some(isPool)) dialogue.say('A server with a pool of workers is started with --workers 2.');
  if (other && changed === 0) dialogue.say(`In this session the ${view.what} of both are the same: the questions are about what has stayed.`);
  else if (other && set.some(({ isDifference }) => !isDifference)) dialogue.say('Some questions are about what has changed, and some about what has stayed.');
  if (!isChapterGiven) dialogue.say('(You have named no chapter: this is the first of which you have predicted nothing, or least lately.)');
  if (set.length < count) dialogue.say(`(There are no more than ${set.length}.)`);
  if (returning.length > 0) {
    const which = returning.length === set.length ? 'All of them come' : returning.length === 1 ? 'The first comes' : `The first ${returning.length} come`;
    dialogue.say(`${which} back: wrong at the last time, or due again.`);
  }
  dialogue.say(`Answer with the letter, the words, or a number; ? says that you do not know. Ctrl-D ends early: what you have answered is graded.`);
  dialogue.say(`(seed ${seed}${isSeedGiven ? '' : `; --seed ${seed} asks for this seed's questions, whatever comes back`})`);
}

const isPool = (chapter) => findServer(root, chapter).serverOptions.length > 0;

/** {answers: graded, recordings}: by a fresh recording; where that fails, by the one from which the questions were made. */
async function grade(scope, dialogue, answers, { view, chapter, session, recordings }) {
  dialogue.say('');
  process.stderr.write(`recording ${chapter} anew ...\n`);
  try {
    const fresh = { ...recordings, here: await recordChapter(scope, view, chapter, session) };
    return { answers: gradeAnswers(answers, fresh, recordings), recordings: fresh };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    dialogue.say(`The fresh recording has failed (${error.message}); the one from before the questions grades you.`);
    return { answers: gradeAnswers(answers, recordings, recordings), recordings };
  }
}
