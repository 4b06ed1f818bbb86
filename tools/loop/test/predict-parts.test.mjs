// What predict is made of: reading answers, choosing what comes back, grading, finding the code and the text.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { readCount, readOption, readSureness } from '../predict/answers.mjs';
import { chooseQuestions } from '../predict/choose.mjs';
import { findAnswers, idOf, listDuePredictions } from '../predict/journal.mjs';
import { showTrace } from '../predict/evidence.mjs';
import { gradeAnswers, noteAnswers, sortMisses } from '../predict/grade.mjs';
import { findCode, findInText, findPrediction, readText } from '../predict/places.mjs';
import { Progress } from '../progress.mjs';
import { chapterNamed, makeRoot, readRecordedStory, removeRoot, root } from './predict-support.mjs';

const options = [
  { letter: 'A', value: 'wait4', text: 'wait4 (in the code: waitpid)' }, { letter: 'B', value: 'read', text: 'read' },
  { letter: 'C', value: '-1 EINTR', text: '-1, with EINTR' }, { letter: 'D', value: 'spins', text: 'in none: it makes the same calls again and again' },
];

test('an answer is a letter or the words of an option, in any case and with any spaces', () => {
  const read = (text) => readOption(text, options)?.letter;
  assert.deepEqual(['a', ' B ', 'c)', '(d)', 'D.'].map(read), ['A', 'B', 'C', 'D', 'D']);
  assert.deepEqual(['READ', 'read()', '`read`', '::read', 'wait4', 'waitpid', '-1 EINTR', 'eintr', 'in  none'].map(read),
    ['B', 'B', 'B', 'B', 'A', 'A', 'C', 'C', 'D']);
  assert.deepEqual(['', 'E', 'none of it', '-', 'zzz'].map(read), Array(5).fill(undefined));
});

test('words that fit two options are no answer', () => {
  const two = [{ letter: 'A', value: 'served', text: 'its echo, at once' }, { letter: 'B', value: 'x', text: 'its echo, later' }];
  assert.equal(readOption('its echo', two), null);
  assert.equal(readOption('later', two).letter, 'B');
});

test('a number may be a word, and sureness is 1 to 3', () => {
  assert.deepEqual(['2', ' 2 ', 'two', 'None', '0', '2.', '-1', '2.5', 'many', ''].map(readCount), [2, 2, 2, 0, 0, 2, null, null, null, null]);
  assert.deepEqual(['1', ' 3 ', 'sure', 'Guess', '0', '4', '', 'b'].map(readSureness), [1, 3, 3, 1, null, null, null, null]);
});

const makeQuestion = (id, more = {}) => ({ id, hash: `${id}00000000`.slice(0, 12), kind: id, order: 0, topics: [], isDifference: true, values: ['x', 'y'], ...more });
const place = { view: 'trace', session: 'one', other: '02-robust' };
const folders = [];
const makeProgress = (now) => {
  folders.push(makeRoot());
  return new Progress(folders.at(-1), { now });
};
after(() => folders.forEach(removeRoot));

test('what was wrong comes back first, the surest before the others; what was right when it is due', () => {
  let now = Date.parse('2026-01-01T12:00:00Z');
  const progress = makeProgress(() => now);
  const questions = ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee'].map((id) => makeQuestion(id));
  const note = (id, result, number) => progress.add({ chapter: '03-fork', kind: 'predict', id: idOf(place, { id }), hash: `${id}00000000`, result, number });
  note('dddd', 'right', 3);
  note('bbbb', 'wrong', 1);
  note('cccc', 'wrong', 3);
  const choose = (given = progress) => chooseQuestions(questions, { count: 4, seed: 1, chapter: '09-fork', place, progress: given, now });
  assert.deepEqual(choose().returning.map(({ id }) => id), ['cccc', 'bbbb']);
  assert.deepEqual(choose().fresh.map(({ id }) => id).sort(), ['aaaa', 'eeee'], 'what is known and not due comes after what is new');
  now += 2 * 24 * 60 * 60 * 1000;
  assert.deepEqual(choose().returning.map(({ id }) => id), ['cccc', 'bbbb', 'dddd']);
  assert.deepEqual(choose(null).returning, [], 'with a seed of his own the journal does not count');
});

test('an answer that was given to an older form of a question does not bring it back', () => {
  const progress = makeProgress(Date.now);
  progress.add({ chapter: 'fork', kind: 'predict', id: 'aaaa', hash: 'ffffffffffff', result: 'wrong', number: 3 });
  assert.deepEqual(chooseQuestions([makeQuestion('aaaa')], { count: 1, seed: 1, chapter: 'fork', place, progress }).returning, []);
});

test('what is due is due of the command that asks it, and of no other', () => {
  const progress = makeProgress(Date.now);
  const reset = { view: 'packets', session: 'reset', other: '02-robust' };
  const question = makeQuestion('aaaa');
  const wrong = [{ question, sureness: 2, outcome: 'wrong' }];
  noteAnswers(progress, '03-fork', reset, wrong);
  const choose = (given) => chooseQuestions([question], { count: 1, seed: 1, chapter: '03-fork', place: given, progress }).returning.length;
  assert.deepEqual([reset, place, { ...reset, session: 'one' }, { ...reset, other: '01-iterative' }].map(choose), [1, 0, 0, 0]);
  const due = () => listDuePredictions(folders.at(-1), progress, '03-fork').map(({ command, count }) => [command, count]);
  assert.deepEqual(due(), [['./learn predict 3 --packets --session reset', 1]]);
  noteAnswers(progress, '03-fork', { ...place, other: '01-iterative' }, wrong);
  noteAnswers(progress, '03-fork', place, [...wrong, { ...wrong[0], question: makeQuestion('bbbb') }]);
  noteAnswers(progress, '03-fork', { ...place, other: '99-gone' }, wrong);
  assert.deepEqual(due(), [['./learn predict 3', 2], ['./learn predict 3 --against 1', 1], ['./learn predict 3 --packets --session reset', 1]]);
});

test('behind a side road the plain command is the one beside the chapter from which the road was left', () => {
  const progress = makeProgress(() => 0);
  const [fork, exec, prefork] = ['fork', 'exec', 'prefork'].map(chapterNamed);
  const wrong = [{ question: makeQuestion('aaaa'), sureness: 3, outcome: 'wrong' }];
  for (const other of [exec, fork]) noteAnswers(progress, prefork, { ...place, other }, wrong);
  const number = (name) => Number(name.slice(0, 2));
  assert.deepEqual(listDuePredictions(root, progress, prefork).map(({ command }) => command),
    [`./learn predict ${number(prefork)}`, `./learn predict ${number(prefork)} --against ${number(exec)}`]);
});

test('a line that has the question alone as its id brings it back, until it has been asked anew; no command is named for it', () => {
  const progress = makeProgress(Date.now);
  const question = makeQuestion('aaaa');
  progress.add({ chapter: 'fork', kind: 'predict', id: question.id, hash: question.hash, result: 'wrong', number: 3 });
  const choose = () => chooseQuestions([question], { count: 1, seed: 1, chapter: '03-fork', place, progress }).returning.length;
  assert.equal(choose(), 1);
  assert.deepEqual(listDuePredictions(folders.at(-1), progress, '03-fork'), []);
  noteAnswers(progress, '03-fork', place, [{ question, sureness: 1, outcome: 'right' }]);
  assert.equal(choose(), 0);
  assert.equal(findAnswers(progress, '03-fork', place, question).entries.length, 1);
});

test('the fresh recording decides; where it tells nothing, the answer does not count', () => {
  const question = makeQuestion('aaaa', { answerIn: ({ here }) => here });
  const grade = (value, fresh, earlier) => {
    const [{ outcome, isOther }] = gradeAnswers([{ question, number: 1, value, sureness: 2 }], { here: fresh }, { here: earlier });
    return [outcome, isOther];
  };
  assert.deepEqual(grade('x', 'x', 'x'), ['right', false]);
  assert.deepEqual(grade('x', 'y', 'x'), ['wrong', true]);
  assert.deepEqual(grade('y', 'y', 'x'), ['right', true]);
  assert.deepEqual(grade(null, 'x', 'x'), ['wrong', false]);
  for (const nothing of [null, undefined, Infinity, 'z']) assert.deepEqual(grade('x', nothing, 'x'), ['void', true]);
});

test('what was sure and wrong comes first in the summary, and what does not count is not noted', () => {
  const graded = [['aaaa', 1, 'wrong'], ['bbbb', 3, 'void'], ['cccc', 3, 'wrong'], ['dddd', 2, 'right']]
    .map(([id, sureness, outcome]) => ({ question: makeQuestion(id), sureness, outcome }));
  assert.deepEqual(sortMisses(graded).map(({ question }) => question.id), ['cccc', 'aaaa']);
  const progress = makeProgress(Date.now);
  noteAnswers(progress, '03-fork', place, graded);
  assert.deepEqual(progress.entries.map(({ chapter, kind, id, result, number }) => [chapter, kind, id, result, number]),
    [['aaaa', 'wrong', 1], ['cccc', 'wrong', 3], ['dddd', 'right', 2]].map(([id, ...rest]) => ['fork', 'predict', `trace/one/robust/${id}`, ...rest]));
});

const [robust, fork] = ['robust', 'fork'].map(chapterNamed);
const codeOf = (chapter, other, calls, options_) => findCode(root, chapter, other, calls, options_);

test('the code of a call is found, by the name that the code has for it', () => {
  const [place] = codeOf(fork, robust, ['fork']);
  assert.equal(place.path, `chapters/${fork}/server.cpp`);
  assert.match(place.text, /::fork\(\)/);
  assert.match(codeOf(fork, robust, ['wait4'])[0].text, /::waitpid\(/);
  assert.match(codeOf(fork, robust, ['sendto'])[0].text, /::send\(/);
});

test('a call that is gone is shown in the other chapter, and not where both make it', () => {
  const [place] = codeOf(chapterNamed('signal-driven'), chapterNamed('poll'), ['poll'], { isGone: true });
  assert.match(place.path, /^chapters\/\d\d-poll\//);
  assert.match(place.text, /::poll\(/);
});

test('of a FIN no line is shown where a process that has forked sends it', () => {
  assert.deepEqual(codeOf(fork, robust, ['FIN']), []);
  assert.ok(codeOf(robust, undefined, ['FIN']).length > 0);
});

test('where a ring is used, the operation takes the place of the call', () => {
  const ring = chapterNamed('setup');
  assert.match(codeOf(ring, undefined, ['accept4'])[0].text, /::io_uring_prep_(multishot_)?accept/);
  assert.match(codeOf(ring, undefined, ['io_uring_enter'])[0].text, /::io_uring_submit/);
  assert.deepEqual(codeOf(fork, robust, ['read'], { isAbsent: true }), []);
});


test('the text is found that shows the line, and the section with the prediction', () => {
  const text = readText(root, fork);
  const place = findInText(text, codeOf(fork, robust, ['fork']));
  assert.match(text.lines[place.line - 1], /::fork\(\)/);
  assert.match(place.heading, /\w/);
  assert.match(text.lines[findPrediction(text).line - 1], /^## Predict, then watch/);
  assert.equal(readText(root, '99-nothing'), null);
});

test('the lines of the trace stand beside a miss, the one that answers marked', () => {
  const story = readRecordedStory(fork);
  const step = story.findIndex(({ heading }) => heading === 'the client connects');
  const lines = showTrace(story, [{ step, line: 1 }]);
  assert.equal(lines[0], '  the client connects');
  assert.deepEqual(lines.filter((line) => line.startsWith('  >')), ['  > server   fork() = child 1']);
  assert.ok(lines.length <= 6, lines.join('\n'));
});
