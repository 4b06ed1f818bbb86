#!/usr/bin/env node
// Find a planted bug in a copy of a chapter, and mend it; or do an exercise that a test can check.

import { Problem, UsageProblem } from '../observe/problem.mjs';
import { runTool } from '../observe/program.mjs';
import { begin, enter, findChapterOrVerb, goOn, mix, verbs } from './practice/begin.mjs';
import { check } from './practice/check.mjs';
import { demandCurrent, renewCopy } from './practice/copy.mjs';
import { demandWords, describeGuess, judge, readPlace } from './practice/guess.mjs';
import { listAll, listOne } from './practice/list.mjs';
import { printReversed } from './practice/patch.mjs';
import { describePlaces, findPlaces } from './practice/places.mjs';
import { findTask, listTasks, slugOf } from './practice/stock.mjs';
import { Talk } from './practice/talk.mjs';
import { readOptions as readWordsOf } from './options.mjs';
import { Progress } from './progress.mjs';
import { findChapter } from './words.mjs';

const root = process.env.LEARN_ROOT ?? process.cwd();
const from = process.env.LEARN_FROM ?? process.cwd();

runTool('practice', 'practice [CHAPTER [BUG | EXERCISE]] | guess FILE:LINE WORDS | hint | check | give-up | reset | list [CHAPTER] | --mix', async (scope) => {
  const { values, positionals: [word, ...rest] } = readWords(process.argv.slice(2));
  const context = { root, from, scope, talk: new Talk(scope), progress: new Progress(root) };
  if (values.mix) {
    if (word !== undefined) throw new UsageProblem(`--mix chooses among all chapters that are done: '${word}' is one word too many`);
    return mix(context);
  }
  if (word === undefined) return goOn(context);
  if (word === 'list') return list(context, rest);
  if (word === 'guess') return guess(context, demandCurrent(root), rest);
  if (!verbs.includes(word)) {
    return begin(context, word, joinTitle(findChapterOrVerb(root, word), rest));
  }
  const copy = demandCurrent(root);
  if (rest.length > 0) {
    throw new UsageProblem(`${word} is about what is current, ${copy.task.chapter}, ${copy.task.title}: '${rest[0]}' is one word too many. `
      + 'For another one name it first: ./learn practice CHAPTER BUG');
  }
  return { hint, check, 'give-up': giveUp, reset }[word](context, copy);
});

function readWords(words) {
  return readWordsOf('practice', words, { mix: { type: 'boolean' } }, Infinity);
}

// An exercise's title may be typed without quotes, as the list shows it.
function joinTitle(chapter, words) {
  const title = words.join(' ');
  if (words.length > 1 && !listTasks(root, chapter).some(({ kind, id }) => kind === 'exercise' && id.startsWith(slugOf(title)))) {
    throw new UsageProblem(`'${words[1]}' is one word too many: practice takes a chapter, and a bug's number or an exercise`);
  }
  return words.length > 0 ? title : undefined;
}

function list(context, [word, surplus]) {
  if (surplus !== undefined) throw new UsageProblem(`list takes one chapter: '${surplus}' is one word too many`);
  if (word === undefined) listAll(context);
  else listOne(context, findChapter(root, word));
}

async function guess({ talk, progress }, copy, [place, ...words]) {
  const { task, record } = copy;
  if (task.kind === 'exercise') throw new Problem(`${task.chapter}, ${task.title}, has no planted bug to guess at: its task is in ./learn practice`);
  if (copy.isFinished) throw new Problem(`${task.title} is ${record.result === 'given-up' ? 'given up' : 'found'} already: ./learn practice ${Number(task.chapter.slice(0, 2))} goes on`);
  if (place === undefined) throw new UsageProblem(`guess what? ./learn practice guess FILE:LINE "what is wrong there"`);
  const where = readPlace(copy, place, from);
  const text = demandWords(words.length > 0 ? words.join(' ') : await talk.ask('What is wrong there? '));
  const result = judge(copy, findPlaces(copy), where);
  progress.add({ chapter: task.chapter, kind: 'guess', id: task.id, hash: task.hash, result, number: record.hints });
  const verdict = describeGuess(result, record.hints);
  talk.say(`noted: ${verdict}`);
  copy.note(`guess, ${where.name}:${where.line} (${verdict.split('.')[0]}): ${text}`);
}

function hint({ talk }, copy) {
  const { task, record } = copy;
  const where = () => (task.kind === 'bug' ? describePlaces(findPlaces(copy))
    : `one solution changes ${task.patch.files.map(({ path }) => path).join(', ')}`);
  const hints = [() => task.hint, where, () => `the test that ${task.kind === 'bug' ? 'finds' : 'shows'} it: ${task.test}`];
  const shown = Math.min(record.hints + 1, hints.length);
  // What has been read is said again, so that nobody has to scroll for it. After success they count no more.
  for (let number = 1; number <= (copy.isFinished ? hints.length : shown); number += 1) {
    talk.say(`hint ${number} of ${hints.length}: ${hints[number - 1]()}`);
  }
  if (!copy.isFinished && record.hints < hints.length) copy.update({ hints: shown });
}

async function giveUp({ talk, progress }, copy) {
  const { task, record } = copy;
  if (!copy.isFinished) {
    if (!await talk.confirm(`Give up ${task.chapter}, ${task.title}, and see ${task.kind === 'bug' ? 'the patch' : 'one solution'}? It comes back later.`)) {
      throw new Problem('nothing is given up: it is still open (--yes gives up without asking)');
    }
    progress.add({ chapter: task.chapter, kind: task.kind, id: task.id, hash: task.hash, result: 'given-up', number: record.hints });
    copy.update({ result: 'given-up' });
  }
  talk.say(`${task.hint}`);
  if (task.kind === 'bug') {
    talk.say(`It is ${describePlaces(findPlaces(copy))}. From the bug (-) back to the chapter (+):`);
    talk.showDiff(printReversed(task.patch));
  } else {
    talk.showDiff(task.patch.diff);
  }
  talk.say(`the test: ${task.test}`);
  talk.say(`your copy stays as it is: ${copy.pathOf()}/. next: ./learn practice ${Number(task.chapter.slice(0, 2))}`);
}

async function reset(context, copy) {
  const { talk } = context;
  const task = findTask(root, copy.task.chapter, copy.task.id);
  if (copy.changedFiles.length === 0 && copy.findWhatChanged() === null && !copy.isFinished) {
    talk.say('you have changed nothing yet: the copy is as it was given');
    enter(context, copy, false);
    return;
  }
  if (!await talk.confirm(`Begin anew with ${task.chapter}, ${task.title}? What you have is kept beside it, in ${copy.pathOf()}.kept-N/.`)) {
    throw new Problem('nothing is changed: your copy is as it was (--yes resets without asking)');
  }
  const { copy: fresh, kept } = renewCopy(root, task, copy);
  talk.say(`what you had is kept in ${kept}/`);
  enter(context, fresh, true);
}
