// ./learn predict as a learner runs it: through a pipe, on the real servers, and where the machine forbids it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findChapterBefore } from '../../chapters.mjs';
import { listProcesses, readProc } from '../../observe/proc.mjs';
import { Scope } from '../../observe/program.mjs';
import { executableOf } from '../../observe/test/support.mjs';
import { findServer, viewpoints } from '../predict/record.mjs';
import { makeTraceQuestions } from '../predict/trace-questions.mjs';
import { Progress } from '../progress.mjs';
import { assertSound, chapterNamed, chapters, makeRoot, readRecordedStory, removeRoot, root, runPredict } from './predict-support.mjs';

const [first, second, fork, prefork, signals, epoll, edge, ring] = ['iterative', 'robust', 'fork', 'prefork', 'signal-driven', 'epoll', 'epoll-edge', 'setup'].map(chapterNamed);
const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
const canCapture = spawnSync('tcpdump', ['-i', 'lo', '-d']).status === 0;

const skipWithout = (...names) => {
  const missing = names.find((name) => !existsSync(executableOf(name)));
  return missing !== undefined && `build/bin/${missing} is not built`;
};
const skipTrace = (...names) => skipWithout(...names) || (!canTrace && 'strace may not trace here');
const skipCapture = (...names) => skipWithout(...names) || (!canCapture && 'tcpdump may not capture here');

/** Whether the kernel lets a server have a ring: it is ready then, and otherwise ends at once. */
async function canUseRing() {
  if (skipWithout(ring)) return false;
  const server = spawn(executableOf(ring), ['--port', '0'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(server, 'exit');
  const isReady = await Promise.race([once(server.stdout, 'data').then(() => true), ended.then(() => false)]);
  server.kill();
  await ended;
  return isReady;
}

const mayUseRing = await canUseRing();
const folders = [];
const newRoot = () => {
  folders.push(makeRoot());
  return folders.at(-1);
};
after(() => folders.forEach(removeRoot));

const before = (name) => findChapterBefore(root, name);
const entriesOf = (folder) => new Progress(folder).entries;

// An option is taken, and 9 is no sureness; or A is no number, and 9 is one. Then: sure.
const surely = 'A\n9\n3\n';

for (const [name, other] of [[fork, second], [prefork, fork], [epoll, before(epoll)], [edge, signals], [ring, before(ring)]]) {
  const words = other === before(name) ? [name] : [name, '--against', other];
  const skip = skipTrace(name, other) || (name === ring && !mayUseRing && 'the kernel gives no ring here');
  test(`predict ${words.join(' ')}: five questions are answered, graded, explained and noted`, { skip }, async () => {
    const folder = newRoot();
    const { code, out, err } = await runPredict(folder, [...words, '--seed', '3', '--plain'], { input: '?\n'.repeat(2) + surely.repeat(3) });
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`^${name} beside ${other}: 5 questions about its system calls\n`));
    assert.equal(out.match(/^\d of 5\. /gm).length, 5, out);
    assert.match(out, /^[0-3] of 5 right$/m);
    assert.match(out, /wrong: you did not know\n/);
    assert.match(out, /^the trace:\n {2}\S/m);
    assert.match(out, /^ {2}> /m);
    assert.match(out, new RegExp(`^the text: .*docs/${name}\\.md:\\d+ `, 'm'));
    assert.doesNotMatch(out, /undefined|\bnull\b|\x1b/);
    const noted = entriesOf(folder);
    assert.equal(noted.length, 5);
    assert.ok(noted.every(({ chapter, kind }) => chapter === name.slice(3) && kind === 'predict'));
  });
}

test('the same seed asks the same questions, whatever was answered before', { skip: skipTrace(first) }, async () => {
  const folder = newRoot();
  const ask = async () => (await runPredict(folder, [first, '--seed', '5'], { input: '?\n'.repeat(5) })).out.split(/^\d of 5 right/m)[0];
  assert.equal(await ask(), await ask());
});

test('what was sure and wrong comes first: in the summary, and when he comes again', { skip: skipTrace(fork, second) }, async () => {
  const folder = newRoot();
  const { out } = await runPredict(folder, [fork, '--seed', '3', '--plain'], { input: '?\n'.repeat(2) + surely.repeat(3) });
  const sure = entriesOf(folder).filter(({ result, number }) => result === 'wrong' && number === 3).map(({ id }) => id);
  assert.ok(sure.length > 0, out);
  assert.match(out, /^[345]\. wrong, and you were sure$[^]*^1\. wrong: you did not know$/m);
  assert.doesNotMatch(out, /wrong: you did not know$[^]*wrong, and you were sure$/m);
  const again = await runPredict(folder, [fork, '--questions', '2'], { input: '?\n?\n' });
  assert.match(again.out, /^All of them come back/m);
  assert.ok(sure.includes(entriesOf(folder).at(-2).id));
});

test('the end of the input in the middle grades what was answered', { skip: skipTrace(first) }, async () => {
  const folder = newRoot();
  const { code, out } = await runPredict(folder, [first, '--seed', '1'], { input: '?\n?\n' });
  assert.equal(code, 0);
  assert.match(out, /^The end of the input: 2 of 5 answered, and these are graded\.$/m);
  assert.match(out, /^0 of 2 right$/m);
  assert.equal(entriesOf(folder).length, 2);
});

test('an empty input: nothing is noted, and that is said', { skip: skipTrace(first) }, async () => {
  const folder = newRoot();
  const { code, err } = await runPredict(folder, [first]);
  assert.equal(code, 0);
  assert.match(err, /predict: no question was answered, and nothing is noted\n$/);
  assert.equal(existsSync(join(folder, '.learn')), false);
});

test('Ctrl-C keeps what was answered, and leaves no process behind', { skip: skipTrace(first) }, async () => {
  const folder = newRoot();
  let step = 0;
  const { code, err } = await runPredict(folder, [first, '--seed', '1'], {
    input: null,
    whileRunning: (child, out) => {
      if (step === 0 && /your answer: $/.test(out)) child.stdin.write('?\n', () => { step = 1; });
      if (step === 1 && /2 of 5[^]*your answer: $/.test(out)) {
        step = 2;
        child.kill('SIGINT');
      }
    },
  });
  assert.equal(code, 130);
  assert.match(err, /noted: 1 answer, graded by the recording from before the questions\n$/);
  assert.equal(entriesOf(folder).length, 1);
  assert.deepEqual(listProcesses().filter((pid) => readProc(`${pid}/environ`)?.includes(`LEARN_ROOT=${folder}`)), []);
});

test('predict --packets: flags and states, of both sides', { skip: skipCapture(first, second) }, async () => {
  const folder = newRoot();
  const { code, out, err } = await runPredict(folder, [second, '--packets', '--seed', '2', '--questions', '12', '--plain'], { input: '?\n'.repeat(12) });
  assert.equal(code, 0, err);
  assert.match(out, /the packets of\s+both\s+are\s+the\s+same:\s+the\s+questions\s+are\s+about\s+what\s+has\s+stayed/);
  assert.match(out, /socket now\?/);
  assert.match(out, /^the packets:\n/m);
  assert.match(out, /^ {2}> \w+ → \w+ +[A-Z+]+.* client [A-Z_1-2]+ +server [A-Z_1-2]+$/m);
  assert.equal(entriesOf(folder).length, 12);
});

const makeFakes = (folder, text) => {
  mkdirSync(folder, { recursive: true });
  for (const name of ['strace', 'tcpdump']) writeFileSync(join(folder, name), text, { mode: 0o755 });
};

test('where strace or tcpdump may not look, that is said before a question is asked: 77, and what to do', async () => {
  const folder = newRoot();
  makeFakes(join(folder, 'bin'), '#!/bin/sh\necho "Operation not permitted" >&2\nexit 1\n');
  for (const [words, remedy] of [[[first], /ptrace_scope|SYS_PTRACE/], [[first, '--packets'], /setcap/]]) {
    const { code, out, err } = await runPredict(folder, words, { environment: { PATH: `${join(folder, 'bin')}:${process.env.PATH}` } });
    assert.equal(code, 77);
    assert.equal(out, '');
    assert.match(err, /Operation not permitted/);
    assert.match(err, remedy);
  }
});

test('without strace or tcpdump: 77, and what to do', async () => {
  for (const words of [[first], [first, '--packets']]) {
    const { code, out, err } = await runPredict(newRoot(), words, { environment: { PATH: '/nowhere' } });
    assert.deepEqual([code, out], [77, '']);
    assert.match(err, /is not installed; install it: \.\/learn doctor says how/);
  }
});

test('a fresh recording that fails grades by the one that is there', { skip: skipTrace(first) }, async () => {
  const folder = newRoot();
  const counter = join(folder, 'count');
  const strace = spawnSync('sh', ['-c', 'command -v strace'], { encoding: 'utf8' }).stdout.trim();
  // The trial and the first recording work; the second recording does not.
  makeFakes(join(folder, 'bin'), `#!/bin/sh\necho >>${counter}\n[ "$(wc -l <${counter})" -le 2 ] || exit 1\nexec ${strace} "$@"\n`);
  const { code, out } = await runPredict(folder, [first, '--questions', '1'], { input: '?\n', environment: { PATH: `${join(folder, 'bin')}:${process.env.PATH}` } });
  assert.equal(code, 0);
  assert.match(out, /The fresh recording has failed \([^]*\);\s+the\s+one\s+from\s+before\s+the\s+questions\s+grades\s+you/);
  assert.equal(entriesOf(folder).length, 1);
});

const wrongLines = [
  [['3', '4'], /'4' is one word too many: the other chapter is named with --against/],
  [['--fast'], /predict has no option --fast/],
  [['--session', 'three'], /--session wants one or two or reset, not 'three'/],
  [['--packets', '--session', 'two'], /--session wants one or reset, not 'two'/],
  [['--seed', 'x'], /--seed wants a whole number/],
  [['--questions', '0'], /--questions wants a whole number from 1 to/],
  [['frok'], /there is no chapter 'frok'; did you mean \d\d-fork\?/],
  [['fork', '--against', 'fork'], /--against fork is the chapter itself; name another one/],
];
for (const [words, message] of wrongLines) {
  test(`predict ${words.join(' ')}: refused with exit code 2 and the usage`, async () => {
    const { code, out, err } = await runPredict(newRoot(), words);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, message);
    assert.match(err, /^usage: \.\/learn predict /m);
  });
}

test('what the texts have recorded answers as this machine does, beside every neighbour', async (context) => {
  const fresh = new Map();
  const scope = new Scope();
  context.after(() => scope.close());
  for (const name of chapters) {
    const skipped = skipTrace(name) || (chapters.indexOf(name) >= chapters.indexOf(ring) && !mayUseRing && 'the kernel gives no ring here');
    if (skipped) context.diagnostic(`${name}: ${skipped}`);
    else fresh.set(name, await viewpoints.trace.record(scope, executableOf(name), { serverOptions: findServer(root, name).serverOptions }));
  }
  for (const [name, here] of fresh) {
    const other = before(name);
    const there = fresh.get(other) ?? null;
    const questions = makeTraceQuestions({ here, there }, { here: name, there: other });
    assertSound(questions, { here, there: there ?? [] }, name);
    assert.ok(questions.length >= 5, name);
    const [recorded, recordedThere] = [name, other].map((one) => (one ? readRecordedStory(one) : null));
    if (recorded === null || (there !== null && recordedThere === null)) continue;
    for (const question of makeTraceQuestions({ here: recorded, there: there === null ? null : recordedThere }, { here: name, there: other })) {
      const answer = question.answerIn({ here: recorded, there: recordedThere ?? [] });
      assert.equal(question.answerIn({ here, there: there ?? [] }), answer, `${name}: ${question.text} ${question.lines.join(' ')}`);
    }
  }
});
