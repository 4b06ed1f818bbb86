// Recording for real, where this machine may: the same server, traced by strace, does what the recording says.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Unavailable } from '../../observe/problem.mjs';
import { Scope } from '../../observe/program.mjs';
import { demandStrace, recordTrace } from '../../observe/record-trace.mjs';
import { findViolations } from '../lib/laws.mjs';
import { demandRecording, recordChapter } from '../lib/make.mjs';
import { record } from '../lib/record.mjs';
import { compare, loadRecording } from '../lib/recording.mjs';
import { calm } from '../player/describe.mjs';
import { root } from './support.mjs';

const chapters = ['03-fork', '10-select', '13-epoll', '22-resume', '36-no-epoll'];
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
    const { story } = await withScope((scope) => recordTrace(scope, programOf(chapter), { session: 'two' }));
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

test('what is no server, or is not there, is a problem that says so', { skip }, async () => {
  const tracer = join(root, 'build-replay/bin/replay-tracer');
  const recordProgram = (executable) => withScope((scope) => record(scope, { root, name: '03-fork', tracer, executable }));
  await assert.rejects(recordProgram('/bin/true'), /the server has ended in the step 'the server starts'/);
  await assert.rejects(recordProgram('/no/such/program'), /the server cannot be traced: .*No such file or directory/);
});

test('a server that cannot start is a problem that says why', { skip }, async () => {
  await assert.rejects(withScope((scope) => recordChapter(scope, root, '03-fork', { serverOptions: ['--host', '192.0.2.1'] })), /192\.0\.2\.1|has ended|Cannot assign/);
});
