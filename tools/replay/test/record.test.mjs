// Recording for real, where this machine may: the same server, traced by strace, does what the recording says.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Problem, Unavailable } from '../../observe/problem.mjs';
import { Scope } from '../../observe/program.mjs';
import { demandStrace, recordTrace } from '../../observe/record-trace.mjs';
import { findViolations } from '../lib/laws.mjs';
import { demandRecording, recordChapter, untilChosen } from '../lib/make.mjs';
import { planOf } from '../lib/plans.mjs';
import { OtherChoice, record } from '../lib/record.mjs';
import { compare, loadRecording } from '../lib/recording.mjs';
import { Tracer } from '../lib/tracer.mjs';
import { calm } from '../player/describe.mjs';
import { root } from './support.mjs';

const chapters = ['03-fork', '10-select', '13-epoll', '22-resume', '36-no-epoll', '57-overlap'];
const programOf = (chapter) => join(root, 'build-replay/bin', chapter);

async function withScope(work) {
  const scope = new Scope();
  try {
    return await work(scope);
  } finally {
    await scope.close();
  }
}

/** Why nothing can be recorded here, or false. */
async function findHindrance() {
  if (!chapters.every((chapter) => existsSync(programOf(chapter)))) return `not built: cmake --build --preset replay --target ${chapters.join(' ')}`;
  return withScope(async (scope) => {
    try {
      await demandRecording(scope, root);
      demandStrace();
      return false;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      return error.message;
    }
  });
}

const skip = await findHindrance();

/** Each actor's calls, as text. */
function sortByActor(lines) {
  const byActor = {};
  for (const [actor, text] of lines) (byActor[actor] ??= []).push(calm(text));
  return byActor;
}

for (const chapter of chapters) {
  test(`${chapter}: strace tells the same calls, with the same words`, { skip }, async () => {
    const { session, serverOptions } = planOf(chapter);
    const { story } = await withScope((scope) => recordTrace(scope, programOf(chapter), { session, serverOptions }));
    const traced = story.flatMap(({ lines }) => lines).filter(({ text, isAsleep }) => text !== undefined && !isAsleep).map(({ role, text }) => [role, text.replace(/^… /, '')]);
    const recorded = loadRecording(root, chapter).frames.filter(({ event }) => ['call', 'signal', 'end'].includes(event.kind)).map(({ event }) => [event.actor, event.text]);
    assert.deepEqual(sortByActor(recorded), sortByActor(traced));
  });
}

test('a session that ends with a reset is lawful too', { skip }, async () => {
  const recording = await withScope((scope) => recordChapter(scope, root, '13-epoll', { session: 'reset' }));
  assert.deepEqual(findViolations(recording), []);
  assert.match(recording.frames.findLast(({ event }) => event.call?.name === 'read').event.text, /ECONNRESET/);
});

test('two recordings of one session are the same', { skip }, async () => {
  const [first, second] = [await withScope((scope) => recordChapter(scope, root, '03-fork', { session: 'one' })), await withScope((scope) => recordChapter(scope, root, '03-fork', { session: 'one' }))];
  assert.equal(compare(first, second), null);
});

test('another thread than the wanted one is another choice', { skip }, async () => {
  // The first client is accepted by the thread that the server has made, and not by a third one.
  await assert.rejects(withScope((scope) => record(scope, {
    root, name: '57-overlap', tracer: join(root, 'build-replay/bin/replay-tracer'), executable: programOf('57-overlap'), session: 'one', serverOptions: ['--workers', '1'], accepting: [3],
  })), (error) => error instanceof OtherChoice && error.message === 'thread 1 of the server has got client 1, and not thread 3');
});

test('it is tried until the choice is the wanted one, and not for ever', async () => {
  const choosing = (count) => withScope((scope) => {
    let tries = 0;
    return untilChosen(scope, '53-per-core', async () => {
      tries += 1;
      if (tries < count) throw new OtherChoice('thread 2 of the server has got client 1, and not thread 1');
      return tries;
    });
  });
  assert.equal(await choosing(7), 7);
  await assert.rejects(choosing(Infinity), (error) => error instanceof Problem && !(error instanceof OtherChoice)
    && /^53-per-core: in \d+ recordings the kernel has never given the clients to the threads that are wanted; the last time: thread 2/.test(error.message));
  await assert.rejects(withScope((scope) => untilChosen(scope, '53-per-core', async () => { throw new Problem('something else'); })), /^Error: something else$/);
});

test('threads that are woken at once go on one after the other, and none passes a coroutine unseen', { skip }, async () => {
  const options = { session: 'one', serverOptions: ['--workers', '2'] };
  const starts = [];
  for (let time = 0; time < 2; time += 1) {
    const { frames } = await withScope((scope) => recordChapter(scope, root, '57-overlap', options));
    starts.push(frames.filter(({ step }) => step === 0).map(({ event, coroutines }) => [event.actor, calm(event.text), coroutines]));
  }
  assert.deepEqual(starts[0], starts[1]);
  const coroutines = starts[0].at(-1)[2]; // five of each worker, and each of them stands somewhere
  assert.deepEqual([coroutines.length, coroutines.filter(({ state }) => state === 'suspended').length], [10, 10]);
});

test("while something is held, the server's clock stands still", { skip }, async () => {
  const held = 600; // ms
  const times = []; // [what the program says, when it has said it], in ms
  await withScope(async (scope) => {
    const words = ['/bin/sh', '-c', '/bin/date +%s%N; /bin/date +%s%N'];
    const tracer = new Tracer(scope, join(root, 'build-replay/bin/replay-tracer'), words, async ({ kind, call, thread, process: process_, arguments: text }) => {
      if (kind === 'entry' && call === 'write') {
        const [, address, length] = text.split(' ');
        times.push([Number((await tracer.read(process_, address, length)).toString()) / 1e6, performance.now()]);
      }
      if (kind === 'born' && times.length === 1) await new Promise((resolve) => { setTimeout(resolve, held); });
      if (['born', 'entry', 'exit', 'signal', 'woken'].includes(kind)) tracer.go(thread);
    });
    await tracer.ended;
  });
  const [[said, at], [saidNext, atNext]] = times;
  assert.ok(atNext - at >= held);
  assert.ok(saidNext - said > 0 && saidNext - said < atNext - at - held / 2, `${saidNext - said} ms of ${atNext - at}`);
});

test('what is no server, or is not there, is a problem that says so', { skip }, async () => {
  const tracer = join(root, 'build-replay/bin/replay-tracer');
  const recordProgram = (executable) => withScope((scope) => record(scope, { root, name: '03-fork', tracer, executable }));
  await assert.rejects(recordProgram('/bin/true'), /the server has ended in the step 'the server starts'/);
  await assert.rejects(recordProgram('/no/such/program'), /the server cannot be traced: .*No such file or directory/);
});

test('a server that cannot start is a problem that says why', { skip }, async () => {
  await assert.rejects(withScope((scope) => recordChapter(scope, root, '03-fork', { serverOptions: ['--host', '192.0.2.1'] })), /192\.0\.2\.1|has ended|Cannot assign/);
});
