// ./learn replay in the terminal, and the author's tool.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { loadRecording } from '../lib/recording.mjs';
import { askAhead } from '../player/predict.mjs';
import { root, run } from './support.mjs';

test('where there is no terminal, all frames are printed', async () => {
  const { status, out, err } = await run('show.mjs', ['13-epoll']);
  assert.equal(status, 0, err);
  const { frames } = loadRecording(root, 'epoll');
  frames.forEach((_, at) => assert.ok(out.includes(`13-epoll, two clients: frame ${at} of ${frames.length - 1}\n`)));
  assert.doesNotMatch(out, /\x1b/);
});

test('one frame alone, and two chapters side by side where there is room', async () => {
  const one = await run('show.mjs', ['03-fork', '--frame', '12']);
  assert.match(one.out, /^03-fork, two clients: frame 12 of /);
  assert.equal(one.out.match(/: frame \d+ of/g).length, 1);
  const wide = await run('show.mjs', ['11-poll', '13-epoll', '--frame', '20'], { env: { COLUMNS: '200' } });
  assert.match(wide.out, /^11-poll, .*│ {2}13-epoll, /);
  const narrow = await run('show.mjs', ['11-poll', '13-epoll', '--frame', '20'], { env: { COLUMNS: '80' } });
  assert.doesNotMatch(narrow.out, /│/);
  assert.match(narrow.out, /13-epoll, two clients: frame/);
  for (const line of narrow.out.split('\n')) assert.ok([...line].length <= 80, line);
});

test('two recordings of different sessions are not compared, and it is said how they are made comparable', async () => {
  const { status, err } = await run('show.mjs', ['54-activation', '55-successor']);
  assert.equal(status, 1);
  assert.match(err, /the sessions differ: activation has two clients, successor has an upgrade; .*: \.\/learn replay 54-activation 55-successor --record/);
});

test('how the server was started is said with each frame, and that another outcome is possible', async () => {
  const { out } = await run('show.mjs', ['53-per-core', '--frame', '30'], { env: { COLUMNS: '200' } });
  assert.match(out, /^53-per-core, .*\nThe server was started with --workers 2\.\nBy a client's port the kernel chooses .*: one outcome of several\.\nstep: /);
  const list = await run('replay.mjs', ['list']);
  assert.match(list.out, /^overlap: an upgrade, \d+ frames, --workers 1 --upgrade-timeout 600000$/m);
});

test('a bad command line is refused, with what is wanted', async () => {
  const refusals = [
    [['13-epoll', '--frame', '4711'], /--frame wants a whole number from 0 to \d+, not '4711'/],
    [['13-epoll', '--frame', 'x'], /not 'x'/],
    [[], /one chapter is wanted, or two/],
    [['13-epoll', '--nonsense'], /nonsense/],
    [['13-epoll', '--session', 'one'], /--session is for --record/],
    [['13-epoll', '--record', '--session', 'ten'], /--session wants two or one or reset or upgrade, not 'ten'/],
    [['13-epoll', '--record', '--session', 'upgrade'], /from 55-successor on: 13-epoll starts no next version of itself/],
  ];
  for (const [words, complaint] of refusals) {
    const { status, err } = await run('show.mjs', words);
    assert.equal(status, 2, words.join(' '));
    assert.match(err, complaint);
  }
  const { status, err } = await run('show.mjs', ['99-dance']);
  assert.equal(status, 1);
  assert.match(err, /there is no recording of dance/);
});

// script(1), of every Debian, gives the player a terminal.
const onTerminal = (keys) => run('', ['-qefc', 'stty cols 120 rows 60; exec node tools/replay/show.mjs 13-epoll', '/dev/null'],
  { command: 'script', env: { TERM: 'xterm', PATIENCE: '15' }, input: keys });

test('keys go forward and back, and q leaves', async () => {
  const { status, out } = await onTerminal([
    { after: 'moment 0 of', keys: '\x1b[C' }, { after: 'moment 1 of', keys: '\x1b[C' }, { after: 'moment 2 of', keys: '\x1b[D' }, { after: 'moment 1 of', keys: 'G' },
    { after: 'moment 37 of 37', keys: 'q' },
  ]);
  assert.equal(status, 0);
  assert.ok(out.includes('\x1b[?1049l'), 'the terminal is given back');
});

test('predicting hides the next frame until something is chosen', async () => {
  const { options } = askAhead(loadRecording(root, 'epoll'), 0);
  const right = options.findIndex(({ isRight }) => isRight) + 1;
  const { status, out } = await onTerminal([
    { after: 'moment 0 of', keys: 'p' }, { after: 'stop predicting', keys: '\x1b[C' },
    // The question stands there, and → does not pass it.
    { after: 'say it', keys: '\x1b[C' }, { after: 'say it', keys: `${right}` }, { after: '<- this', keys: '\x1b[C' }, { after: 'moment 1 of', keys: 'q' },
  ]);
  assert.equal(status, 0);
  assert.ok(out.indexOf('moment 1 of') > out.indexOf('<- this'));
});

test('check without recording anew says what the laws and the code say', async () => {
  const { status, out } = await run('replay.mjs', ['check', '--no-run', '13', 'fork']);
  assert.equal(out, '2 recordings are lawful, and of this code\n');
  assert.equal(status, 0);
});

test('the tool refuses what it does not know', async () => {
  for (const [words, complaint] of [[['dance'], /there is no 'dance' here/], [[], /what to do is wanted/], [['check', 'nowhere'], /there is no chapter 'nowhere'/],
    [['svg', '13', '999'], /the frame is a number from 0 to/], [['record', '--session', 'ten'], /--session wants one or two or reset or upgrade, not 'ten'/],
    [['record', '13', '--session', 'upgrade'], /13-epoll starts no next version of itself/]]) {
    const { status, err } = await run('replay.mjs', words);
    assert.equal(status, 2, words.join(' '));
    assert.match(err, complaint);
  }
});

test('where the tracer may not trace, a fresh recording is not there, and that of the tree is played', async () => {
  const folder = mkdtempSync('/tmp/replay-test-');
  // A machine without tcpdump and ss: nothing but node is found.
  const { status, out, err } = await run('show.mjs', ['13-epoll', '--record', '--frame', '3'], { env: { PATH: folder } });
  rmSync(folder, { recursive: true });
  assert.equal(status, 0, err);
  assert.match(err, /nothing is recorded here: .*\n.*the recording that came with the chapter/);
  assert.match(out, /^13-epoll, two clients: frame 3 of/);
});

test('there, check says that nothing is recorded again, and on a machine that must record it fails', async () => {
  const folder = mkdtempSync('/tmp/replay-test-');
  const lenient = await run('replay.mjs', ['check', '--no-build', '13'], { env: { PATH: folder, REPLAY_STRICT: '' } });
  assert.match(lenient.out, /^nothing is recorded again: .*\n1 recordings are lawful, and of this code\n$/);
  assert.equal(lenient.status, 0);
  const strict = await run('replay.mjs', ['check', '--no-build', '13'], { env: { PATH: folder, REPLAY_STRICT: '1' } });
  assert.equal(strict.status, 77);
  rmSync(folder, { recursive: true });
});
