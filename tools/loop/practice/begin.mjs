// Beginning with a bug or an exercise, and going on with it.

import { Problem, UsageProblem } from '../../observe/problem.mjs';
import { findChapter, findNearest } from '../words.mjs';
import { chooseMixed, chooseNext, findState, listDoneChapters } from './choose.mjs';
import { commandFor, findCopy, findCurrent, listCopies, makeCopy, renewCopy, setCurrent } from './copy.mjs';
import { describeStock, findTask, listReadableTasks, listTasks } from './stock.mjs';

export const verbs = ['guess', 'hint', 'check', 'give-up', 'reset', 'list'];

/** ./learn practice: goes on with what is current, or says what to type. */
export function goOn(context) {
  const current = findCurrent(context.root);
  if (current) {
    present(context, current);
    return;
  }
  const [recent] = listCopies(context.root).filter((copy) => !copy.isFinished);
  context.talk.say('Find a planted bug in a copy of a chapter, and mend it. Nothing is begun.');
  if (recent) context.talk.say(`go on with one that you have begun: ${commandFor(recent.task)}`);
  context.talk.say('begin with the chapter that you read last, such as: ./learn practice 3');
  context.talk.say('what there is: ./learn practice list');
}

/** ./learn practice CHAPTER [BUG | EXERCISE] */
export function begin(context, word, which) {
  const { root, progress } = context;
  const chapter = findChapterOrVerb(root, word);
  if (which !== undefined) return open(context, findTask(root, chapter, which));
  const current = findCurrent(root);
  if (current && current.task.chapter === chapter && !current.isFinished) return present(context, current);
  const task = chooseNext(root, progress, chapter);
  if (task) return openAnew(context, task);
  return explainNothingLeft(context, chapter);
}

/** ./learn practice --mix */
export function mix(context) {
  const { root, progress, talk } = context;
  const chapters = listDoneChapters(root, progress);
  const task = chooseMixed(root, progress, chapters);
  if (task === null && chapters.length === 0) {
    throw new Problem('nothing is due, and no chapter is done yet: --mix takes what is new from those whose tests have passed: ./learn test 3. Or name a chapter: ./learn practice 3');
  }
  if (task === null) {
    talk.say(`nothing is due, and every bug of the chapters that are done has been found (${chapters.join(', ')}).`);
    return;
  }
  openAnew(context, task);
}

/** The chapter that is meant. Throws UsageProblem, with the nearest of practice's own words where that is none. */
export function findChapterOrVerb(root, word) {
  try {
    return findChapter(root, word);
  } catch (error) {
    const nearest = findNearest(word, verbs);
    if (!(error instanceof UsageProblem) || nearest === undefined || /did you mean/.test(error.message)) throw error;
    throw new UsageProblem(`there is no chapter '${word}', and practice has no such word; did you mean ${nearest}?`);
  }
}

// What was finished once, and comes back, begins with the bug in it; what there was is kept.
function openAnew(context, task) {
  const { root, talk } = context;
  const there = findCopy(root, task);
  if (!there?.isFinished && (!there || there.record.hash === task.hash)) return open(context, task);
  const { copy, kept } = renewCopy(root, task, there);
  talk.say(`${task.chapter}, ${task.title}, comes back. What you had is kept in ${kept}/`);
  return enter(context, copy, true);
}

function open(context, task) {
  const { copy, isNew, kept } = makeCopy(context.root, task);
  if (kept) context.talk.say(`what stood in the copy's place, and is no copy that can be gone on with, is kept in ${kept}/`);
  enter(context, copy, isNew);
}

/** Makes a copy the current one, and presents it. */
export function enter(context, copy, isNew) {
  const { chapter, kind, id, hash } = copy.task;
  setCurrent(copy);
  if (isNew) context.progress.add({ chapter, kind, id, hash, result: 'begun' });
  present(context, copy);
}

function explainNothingLeft({ root, progress, talk }, chapter) {
  const tasks = listTasks(root, chapter);
  if (tasks.length === 0) throw new Problem(`there is nothing to practise in ${chapter} yet`);
  const number = Number(chapter.slice(0, 2));
  const bugs = tasks.filter(({ kind }) => kind === 'bug');
  const givenUp = bugs.filter((task) => findState(progress, task).state === 'given-up').length;
  if (bugs.length > 0) talk.say(`Every bug of ${chapter} is found${givenUp > 0 ? ' or given up' : ''}: ${bugs.length - givenUp} of ${bugs.length}${givenUp > 0 ? ' found' : ''}.`);
  const due = Math.min(...bugs.map((task) => findState(progress, task).dueAt));
  if (Number.isFinite(due)) talk.say(`The first of them comes back on ${new Date(due).toISOString().slice(0, 10)}. To look at one again: ./learn practice ${number} ${bugs[0].id}`);
  const exercise = tasks.find((task) => task.kind === 'exercise' && findState(progress, task).state !== 'done');
  if (exercise) talk.say(`next: ./learn practice ${number} ${exercise.id}   (an exercise: ${exercise.words})`);
  else talk.say(`next: ./learn practice --mix   (${describeStock(tasks)})`);
}

/** Says what a copy is about, where it is, and what to type. */
function present({ root, talk }, copy) {
  const { task, record } = copy;
  const bugs = listReadableTasks(root, task.chapter).filter(({ kind }) => kind === 'bug');
  const count = task.kind === 'bug' && bugs.length > 0 ? ` of ${bugs.length}` : '';
  talk.say(`${talk.paint('bold', `${task.chapter}, ${task.title}${count}.`)} ${task.kind === 'bug' ? 'Symptom' : 'Task'}: ${task.words}`);
  if (record.isMended) talk.say(`(the copy's record could not be read; your lines are as they were, and hints count from the first again)`);
  talk.say(`your copy: ${describeFolder(copy)}`);
  if (task.kind === 'bug') talk.say('(Its functions have no comments, so that none is missing where the bug is.)');
  warnOfChanges(talk, copy);
  if (copy.isFinished) {
    talk.say(record.result === 'given-up' ? 'You have given it up, and it comes back.' : `It is ${record.result}.`);
    talk.show('anew: ./learn practice reset');
    talk.show(`next: ./learn practice ${Number(task.chapter.slice(0, 2))}`);
    return;
  }
  const rows = [['look', './learn run --practice', 'so do watch, trace, capture, diff, test']];
  if (task.kind === 'bug') rows.push(['guess', `./learn practice guess FILE:LINE "what is wrong there"`]);
  rows.push(['check', './learn practice check', `when you have ${task.kind === 'bug' ? 'mended' : 'done'} it`], ['hint', './learn practice hint']);
  for (const [what, command, more] of rows) talk.show(`${`${what}:`.padEnd(7)}${command}${more ? `   (${more})` : ''}`);
}

function describeFolder(copy) {
  const names = copy.sourceNames;
  if (names.length === 0) return `${copy.pathOf()}/, without a source (as it was given: ${copy.pathOf()}/.practice/given/)`;
  return names.length === 1 ? copy.pathOf(names[0]) : `${copy.pathOf()}/ (${names.join(', ')})`;
}

/** Says that the chapter or the patch is another one than when the copy was made. */
export function warnOfChanges(talk, copy) {
  const changed = copy.findWhatChanged();
  if (changed === null) return;
  talk.say(`(${changed === 'patch' ? `the patch of this ${copy.task.kind}` : copy.task.chapter} has changed since your copy was made, which stays as it is. `
    + 'For one of today: ./learn practice reset)');
}
