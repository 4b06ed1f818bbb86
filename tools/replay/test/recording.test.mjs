// The form of recordings, and what makes two of them the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare, compareCode, describeChoice, fields, findLine, listRecordings, loadRecording, normalise, print } from '../lib/recording.mjs';
import { compact, expand } from '../player/expand.mjs';
import { listChapters, withoutNumber } from '../../chapters.mjs';
import { UsageProblem } from '../../observe/problem.mjs';
import { planOf } from '../lib/plans.mjs';
import { root } from './support.mjs';

const copyOf = (name) => structuredClone(loadRecording(root, name));

test('what a frame does not name is as in the frame before, and comes back when it is read', () => {
  const recording = copyOf('epoll');
  const stored = JSON.parse(print(recording));
  assert.ok(stored.frames.some(({ actors }) => actors === undefined));
  assert.deepEqual(expand(stored), recording);
  assert.equal(expand(recording), recording);
  assert.deepEqual(compact(expand(stored).frames), stored.frames);
});

test('ports and acknowledgements that come alone make no difference', () => {
  const [recording, other] = [copyOf('epoll'), copyOf('epoll')];
  for (const frame of other.frames) {
    frame.event = JSON.parse(JSON.stringify(frame.event).replace(/htons\(\d+\)/g, 'htons(1)'));
    frame.packets = frame.packets.filter(({ kind }) => kind !== 'ack');
  }
  assert.equal(compare(recording, other), null);
  const written = other.frames.find(({ event }) => event.text.includes('listening on'));
  assert.match(written.event.text, /"listening on 127\.0\.0\.1:\d+\\n", 29\) = 29/);
  written.event.text = written.event.text.replace(/:\d+\\n", 29\) = 29/, ':1234\\n", 28) = 28');
  Object.assign(written.event.call, { args: ['1', '"listening on 127.0.0.1:1234\\n"', '28'], result: '28' });
  assert.equal(compare(recording, other), null);
});

test('another result, another line, another packet make one, and it is named', () => {
  const changes = [
    [/frame 24: 'event'/, (frames) => { frames[24].event.text += '!'; }],
    [/frame 24: 'actors'/, (frames) => { frames[24].actors[0].stack[0].line += 1; }],
    [/frame 22: 'packets'/, (frames) => { frames[22].packets[0].length += 1; }],
    [/there were 38 frames and are 37/, (frames) => { frames.pop(); }],
  ];
  for (const [words, change] of changes) {
    const other = copyOf('epoll');
    change(other.frames);
    assert.match(compare(copyOf('epoll'), other) ?? 'no difference', words);
  }
});

test('the code in a recording is that of the tree, and a change of it is named', () => {
  for (const chapter of listChapters(root)) {
    if (listRecordings(root).includes(withoutNumber(chapter))) assert.deepEqual(compareCode(root, chapter, loadRecording(root, chapter)), [], chapter);
  }
  const other = copyOf('fork');
  other.code.find(({ file }) => file === 'server.cpp').lines[1] += ' // another';
  assert.match(compareCode(root, '03-fork', other).join(), /^server\.cpp has changed between the lines/);
});

test('each field of a frame is said to be seen or derived', () => {
  const known = Object.keys(fields);
  for (const how of Object.values(fields)) assert.match(how[0], /^(seen|derived)$/);
  const isKnown = (path) => known.some((field) => path === field || path.startsWith(`${field}.`));
  // What names a thing is no statement about it.
  const names = new Set(['event.actor', 'actors.process', 'sockets.side', 'sockets.client', 'interest.of', 'interest.kind', 'interest.fd', 'rings.of', 'rings.fd', 'step']);
  for (const name of listRecordings(root)) {
    for (const frame of loadRecording(root, name).frames) {
      for (const [key, value] of Object.entries(frame)) {
        if (!Array.isArray(value) && typeof value !== 'object') {
          assert.ok(names.has(key) || isKnown(key), key);
          continue;
        }
        for (const entry of [value].flat()) {
          for (const field of Object.keys(entry)) assert.ok(names.has(`${key}.${field}`) || isKnown(`${key}.${field}`), `${key}.${field}`);
        }
      }
    }
  }
});

test('no recording has a time or a duration in it', () => {
  for (const name of listRecordings(root)) {
    const keys = new Set();
    JSON.stringify(loadRecording(root, name), (key, value) => {
      keys.add(key);
      return value;
    });
    for (const key of keys) assert.doesNotMatch(key, /time|duration|elapsed|_ms$|seconds/i);
  }
});

test('names of functions and of what is awaited are whole', () => {
  for (const name of listRecordings(root)) {
    for (const { actors, coroutines } of loadRecording(root, name).frames) {
      const names = [...actors.flatMap(({ stack }) => stack.map((place) => place.function)), ...coroutines.flatMap((coroutine) => [coroutine.function, coroutine.awaiter ?? 'nothing'])];
      for (const text of names) {
        assert.match(text, /^[\w~]/, name);
        assert.equal(text.split('<').length, text.split('>').length, text);
      }
    }
  }
});

test('a chapter without a recording is named, with what to do', () => {
  assert.throws(() => loadRecording(root, 'dance'), /there is no recording of dance; to make one here: \.\/learn replay dance --record/);
});

test('a line of the code is found by its place', () => {
  const recording = copyOf('epoll');
  const { stack } = recording.frames.find(({ event }) => event.call?.name === 'epoll_wait').actors[0];
  assert.match(findLine(recording, stack[0]), /::epoll_wait\(/);
  assert.equal(findLine(recording, { file: 'server.cpp', line: 100_000 }), null);
});

test('each chapter has a recording, of the session and with the options that are planned for it', () => {
  for (const chapter of listChapters(root)) {
    const { session, serverOptions, accepting } = planOf(chapter);
    const recording = loadRecording(root, chapter);
    assert.deepEqual([recording.session, recording.options ?? []], [session, serverOptions], chapter);
    assert.equal(recording.choice, accepting === null ? undefined : describeChoice(accepting), chapter);
  }
});

test('what the kernel has chosen is what the frames show', () => {
  for (const name of ['per-core', 'activation']) {
    const { frames } = loadRecording(root, name);
    const made = frames.filter(({ event }) => event.call?.name === 'clone').map(({ event }) => event.call.result);
    const who = [1, 2].map((step) => frames.find((frame) => frame.step === step && frame.event.kind !== 'client').event.actor);
    assert.deepEqual(who, made, name);
  }
});

test('an upgrade is for servers that start their next version, and others are told so', () => {
  assert.equal(planOf('57-overlap').session, 'upgrade');
  assert.equal(planOf('57-overlap', 'one').session, 'one');
  assert.throws(() => planOf('13-epoll', 'upgrade'), (error) => error instanceof UsageProblem
    && /--session upgrade is an upgrade, which servers can from 55-successor on: 13-epoll starts no next version of itself/.test(error.message));
});

test('other options are another recording', () => {
  const [recording, other] = [copyOf('per-core'), copyOf('per-core')];
  other.options = ['--workers', '3'];
  assert.match(compare(recording, other), /^'options' was \["--workers","2"\] and is \["--workers","3"\]$/);
});

test('the normalised form keeps the recording as it was', () => {
  const recording = copyOf('epoll');
  normalise(recording);
  assert.deepEqual(recording, copyOf('epoll'));
});
