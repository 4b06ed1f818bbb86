// What the commands of the loop share: the journal, the nearest word, the conversation.

import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { Scope } from '../../observe/program.mjs';
import { Dialogue, wrap } from '../dialogue.mjs';
import { hashOf, Progress } from '../progress.mjs';
import { findChapter, findNearest } from '../words.mjs';

const root = new URL('../../..', import.meta.url).pathname;
const folders = [];
const makeFolder = () => {
  folders.push(mkdtempSync(join(tmpdir(), 'learn-loop-')));
  return folders.at(-1);
};
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const day = 24 * 60 * 60 * 1000;
const noon = Date.parse('2026-01-01T12:00:00Z');
const quiz = { chapter: '03-fork', kind: 'quiz', id: 'abc', hash: hashOf('a question') };

test('what is added is read again, by the name of the chapter', () => {
  const folder = makeFolder();
  new Progress(folder, { now: () => noon }).add({ ...quiz, result: 'wrong', number: 2 });
  const [entry] = new Progress(folder).find({ chapter: '07-fork' });
  assert.deepEqual(entry, { ...quiz, time: '2026-01-01T12:00:00.000Z', chapter: 'fork', result: 'wrong', number: 2 });
});

test('a torn last line is kept, counted, and spoils no other', () => {
  const folder = makeFolder();
  new Progress(folder).add({ ...quiz, result: 'right', number: 1 });
  const file = join(folder, '.learn/progress.tsv');
  writeFileSync(file, `${readFileSync(file, 'utf8')}2026-01-01T12:00`);
  new Progress(folder).add({ ...quiz, result: 'wrong', number: 1 });
  const progress = new Progress(folder);
  assert.deepEqual(progress.unread, ['2026-01-01T12:00']);
  assert.deepEqual(progress.entries.map(({ result }) => result), ['right', 'wrong']);
});

test('two journals are merged: each line once, in the order of their times', () => {
  const here = new Progress(makeFolder(), { now: () => noon + day });
  const there = new Progress(makeFolder(), { now: () => noon });
  here.add({ ...quiz, result: 'right', number: 1 });
  there.add({ ...quiz, result: 'wrong', number: 1 });
  const torn = '2026-01-01T12:00:00.000Z\tfork\tqu';
  const outcome = here.merge(`${there.toText()}no line\n${torn}\n${here.toText()}`);
  assert.deepEqual(outcome, { added: 1, known: 1, unread: ['no line', torn], kept: 1 });
  assert.deepEqual(here.unread, [torn]);
  assert.deepEqual(here.entries.map(({ result }) => result), ['wrong', 'right']);
  there.merge(here.toText());
  assert.equal(there.toText(), here.toText());
});

test('where nothing can be written, that is said once, and the session goes on', (context) => {
  if (process.getuid() === 0) return context.skip('root may write everywhere');
  const folder = makeFolder();
  mkdirSync(join(folder, '.learn'));
  chmodSync(join(folder, '.learn'), 0o500);
  const words = [];
  const progress = new Progress(folder, { warn: (text) => words.push(text) });
  for (const result of ['wrong', 'right']) progress.add({ ...quiz, result, number: 1 });
  assert.equal(words.length, 1);
  assert.match(words[0], /permission denied/);
  assert.equal(progress.entries.length, 2);
});

test('what was right is due after 1, 3, 7 and 21 days, what was wrong at once', () => {
  let now = noon;
  const progress = new Progress(makeFolder(), { now: () => now });
  assert.equal(progress.dueAt(quiz), Infinity);
  const daysAfter = (result) => {
    progress.add({ ...quiz, result, number: 1 });
    const days = (progress.dueAt(quiz) - now) / day;
    now = progress.dueAt(quiz);
    return days;
  };
  assert.deepEqual(['right', 'right', 'right', 'right', 'right', 'wrong', 'right'].map(daysAfter), [1, 3, 7, 21, 21, 0, 1]);
  now -= day / 2;
  assert.deepEqual(['right', 'right'].map(daysAfter), [1, 3], 'what comes early lengthens no interval');
  assert.equal(progress.dueAt({ ...quiz, hash: hashOf('another question') }), Infinity);
});

test('what was given up comes back after a day, and not while its patch is still on the screen', () => {
  const progress = new Progress(makeFolder(), { now: () => noon });
  const bug = { chapter: 'fork', kind: 'bug', id: '1', hash: hashOf('a bug') };
  progress.add({ ...bug, result: 'given-up' });
  assert.equal(progress.dueAt(bug), noon + day);
});

test('a question is known by its words, not by its line breaks or emphasis', () => {
  assert.equal(hashOf('**Three children\nend** at `once`?'), hashOf('Three children end at once?'));
  assert.notEqual(hashOf('Three children?'), hashOf('Four children?'));
});

test('a chapter is found by number, name and beginning, and the nearest is named', () => {
  for (const word of ['3', '03', 'fork', '03-fork', 'chapters/03-fork/', 'Fork']) assert.equal(findChapter(root, word), '03-fork');
  assert.throws(() => findChapter(root, 'frok'), /there is no chapter 'frok'; did you mean 03-fork\?/);
  assert.throws(() => findChapter(root, '99'), /there is no chapter 99/);
  assert.equal(findNearest('prcatice', ['predict', 'practice']), 'practice');
  assert.equal(findNearest('zzz', ['predict', 'practice']), undefined);
});

test('answers come from a pipe, and the end of the input is an answer', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const scope = new Scope();
  const dialogue = new Dialogue(scope, { input, output });
  input.end(' B \n');
  assert.equal(await dialogue.ask('your answer: '), 'B');
  assert.equal(await dialogue.ask('again: '), null);
  assert.equal(output.read().toString(), 'your answer: B\nagain: \n');
  await scope.close();
});

test('long lines are wrapped, and set in as far as they begin', () => {
  assert.equal(wrap('- A. one two three', 12), '- A. one two\n  three');
  assert.equal(wrap('A. one two three', 10), 'A. one two\n   three');
});
