// Questions that are made from two stories: each has one right answer, and none depends on the moment.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findChapterBefore } from '../../chapters.mjs';
import { chooseQuestions } from '../predict/choose.mjs';
import { listOptions } from '../predict/question.mjs';
import { makePacketQuestions } from '../predict/packet-questions.mjs';
import { makeTraceQuestions } from '../predict/trace-questions.mjs';
import { assertSound, chapterNamed, chapters, readRecordedStory, root } from './predict-support.mjs';

const stories = new Map(chapters.map((name) => [name, readRecordedStory(name)]).filter(([, story]) => story !== null));

test('the texts hold stories that differ: of processes, of threads, of one thread for all', () => {
  for (const name of ['fork', 'threads', 'select', 'epoll', 'reactor']) assert.ok(stories.has(chapterNamed(name)), [...stories.keys()].join(' '));
});

test('every pair of recorded stories gives sound questions, and enough of them', () => {
  for (const [name, here] of stories) {
    for (const [other, there] of stories) {
      if (name === other) continue;
      const questions = makeTraceQuestions({ here, there }, { here: name, there: other });
      assertSound(questions, { here, there }, `${name} beside ${other}`);
      assert.ok(questions.length >= 5, `${name} beside ${other}: ${questions.length}`);
    }
    const alone = makeTraceQuestions({ here, there: null }, { here: name });
    assertSound(alone, { here, there: [] }, name);
    assert.ok(alone.length >= 5 && alone.every(({ isDifference }) => !isDifference), name);
  }
});

const [one, three] = ['iterative', 'fork'].map((name) => stories.get(chapterNamed(name)));
const beside = (here, there) => makeTraceQuestions({ here, there }, { here: '03-fork', there: '01-iterative' });

test('of a server that forks is asked who reads, what fork returns, and how many there are', () => {
  const questions = beside(three, one).filter(({ isDifference }) => isDifference);
  const answers = questions.map((question) => [question.text, question.answerIn({ here: three, there: one })]);
  const answerOf = (pattern) => answers.find(([text]) => pattern.test(text))?.[1];
  assert.equal(answerOf(/^The client sends .* Who has a line with read /), 'child');
  assert.equal(answerOf(/^The client connects\. What does fork return to the parent process/), 'child');
  assert.equal(answerOf(/^The client connects\. .* Of how many processes and threads/), 2);
  assert.equal(answerOf(/^The client closes its sending side\. What does accept return/), '-1 EINTR');
  assert.equal(answerOf(/^The client closes its sending side\. .* In which call is a child process asleep/), 'ended');
  assert.ok(answers.some(([text, answer]) => /does 03-fork make, and 01-iterative does not/.test(text) && answer === 'fork'));
});

test("what the other chapter does is among the wrong answers", () => {
  const asleep = beside(three, one).find(({ text }) => /^The client connects\. .*In which call is the parent process asleep/.test(text));
  assert.equal(asleep.answerIn({ here: three, there: one }), 'accept');
  assert.ok(asleep.values.includes('read'), asleep.values.join());
});

test('a port with fewer digits makes no other question', () => {
  const shorten = (story) => JSON.parse(JSON.stringify(story).replaceAll('"result":"29"', '"result":"28"'));
  const identify = (here, there) => beside(here, there).map(({ id, hash }) => [id, hash]);
  assert.notDeepEqual(shorten(three), three);
  assert.deepEqual(identify(shorten(three), shorten(one)), identify(three, one));
});

test('where others are asleep in a call, nobody is asked who has no line with it', () => {
  const [here, there] = ['prefork', 'nonblocking'].map((name) => stories.get(chapterNamed(name)));
  const asked = makeTraceQuestions({ here, there }, { here: 'a', there: 'b' }).map(({ text }) => text);
  assert.ok(asked.some((text) => /^The client sends .*Who has a line with read /.test(text)));
  assert.ok(!asked.some((text) => /^The client sends .*Who has a line with accept4 /.test(text)));
});

test('two stories that are the same give no question about a change', () => {
  assert.deepEqual(beside(three, three).filter(({ isDifference }) => isDifference).map(({ text }) => text), []);
});

test('a question keeps its id when chapters are inserted, and when options are shuffled', () => {
  const ids = (here, there) => makeTraceQuestions({ here: three, there: one }, { here, there }).map(({ id }) => id);
  assert.deepEqual(ids('03-fork', '01-iterative'), ids('05-fork', '02-iterative'));
});

test('the same seed asks the same questions in the same order, with their options in the same places', () => {
  const ask = (seed) => chooseQuestions(beside(three, one), { count: 5, seed, chapter: '03-fork' }).fresh
    .map((question) => [question.id, listOptions(question, seed)?.map(({ value }) => value)]);
  assert.deepEqual(ask(7), ask(7));
  assert.notDeepEqual(ask(7), ask(8));
  assert.equal(ask(7).length, 5);
});

test('the questions of a set are in the order of the session, and of more kinds than one', () => {
  for (const [name, here] of stories) {
    const previous = stories.get(findChapterBefore(root, name)) ?? null;
    const { fresh } = chooseQuestions(makeTraceQuestions({ here, there: previous }, { here: name, there: 'x' }), { count: 5, seed: 1, chapter: name });
    assert.deepEqual(fresh.map(({ order }) => order), fresh.map(({ order }) => order).sort((a, b) => a - b), name);
    assert.ok(new Set(fresh.map(({ kind }) => kind)).size >= 3, name);
  }
});

// --- Packets ----------------------------------------------------------------------------------------

const flags = (text) => new Set(text.split('+').filter(Boolean));
const makePacket = (from, words, client, server, { kind = 'close', length = 0 } = {}) =>
  ({ from, to: from === 'client' ? 'server' : 'client', flags: flags(words), length, kind, states: { client, server } });
const makeCapture = ({ lateAck }) => [
  { title: 'the client connects', packets: [
    makePacket('client', 'syn', 'SYN_SENT', 'SYN_RECEIVED', { kind: 'handshake' }),
    makePacket('server', 'syn+ack', 'ESTABLISHED', 'SYN_RECEIVED', { kind: 'handshake' }),
    makePacket('client', 'ack', 'ESTABLISHED', 'ESTABLISHED', { kind: 'handshake' }),
  ] },
  { title: 'the client sends "hello\\n" and receives its echo', packets: [
    makePacket('client', 'psh+ack', 'ESTABLISHED', 'ESTABLISHED', { kind: 'data', length: 6 }),
    ...(lateAck ? [makePacket('server', 'ack', 'ESTABLISHED', 'ESTABLISHED', { kind: 'ack' })] : []),
    makePacket('server', 'psh+ack', 'ESTABLISHED', 'ESTABLISHED', { kind: 'data', length: 6 }),
  ] },
  { title: 'the client closes its sending side', packets: [
    makePacket('client', 'fin+ack', 'FIN_WAIT_1', 'CLOSE_WAIT'),
    ...(lateAck ? [makePacket('server', 'ack', 'FIN_WAIT_2', 'CLOSE_WAIT', { kind: 'ack' })] : []),
    makePacket('server', 'fin+ack', 'TIME_WAIT', 'LAST_ACK'),
    makePacket('client', 'ack', 'TIME_WAIT', 'CLOSED'),
  ] },
];

test('packets: sound questions, and an acknowledgement that comes alone or not changes none of them', () => {
  const [quick, late] = [false, true].map((lateAck) => makeCapture({ lateAck }));
  const questions = makePacketQuestions({ here: quick, there: late }, { here: 'a', there: 'b' });
  assertSound(questions, { here: quick, there: late }, 'packets');
  assert.ok(questions.length >= 15);
  for (const question of questions) {
    assert.equal(question.answerIn({ here: late, there: quick }), question.answerIn({ here: quick, there: late }), question.text);
    assert.ok(!question.isDifference, question.text);
  }
});

test('packets: the state of either side, who begins to end, who is in TIME_WAIT', () => {
  const here = makeCapture({ lateAck: true });
  const questions = makePacketQuestions({ here, there: null }, { here: 'a' });
  const answerOf = (pattern, line = '') => questions.find(({ text, lines }) => pattern.test(text) && lines.join().includes(line)).answerIn({ here, there: [] });
  assert.equal(answerOf(/state is the server's socket/, 'client → server  FIN+ACK'), 'CLOSE_WAIT');
  assert.equal(answerOf(/state is the client's socket/, 'server → client  FIN+ACK'), 'TIME_WAIT');
  assert.equal(answerOf(/begins to end/), 'client, FIN');
  assert.equal(answerOf(/is in TIME_WAIT/), 'client');
  assert.equal(answerOf(/comes next/, 'client → server  FIN+ACK'), 'server → client  FIN+ACK');
});
