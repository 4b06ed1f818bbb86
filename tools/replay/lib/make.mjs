// Builds what a recording needs, and makes one.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, Unavailable } from '../../observe/problem.mjs';
import { Scope } from '../../observe/program.mjs';
import { demandTcpdump } from '../../observe/record-packets.mjs';
import { demandExecutable } from '../../observe/run-server.mjs';
import { planOf } from './plans.mjs';
import { OtherChoice, record } from './record.mjs';
import { listSockets } from './ss.mjs';
import { demandTracing } from './tracer.mjs';

const programs = 'build-replay/bin';
export const tracerName = 'replay-tracer';
const mostTries = 60; // of four outcomes the wanted one has not come then in one case of 30 millions

/** Builds the tracer and the servers of the chapters with the preset `replay`. Throws Problem, with what the build says. */
export function build(root, chapters) {
  run(root, ['--preset', 'replay'], 'cmake --preset replay');
  run(root, ['--build', '--preset', 'replay', '--target', tracerName, ...chapters], 'the build of what is recorded');
}

function run(root, words, what) {
  const { status, stdout, stderr, error } = spawnSync('cmake', words, { cwd: root, encoding: 'utf8' });
  if (error) throw new Problem(`cmake cannot be started: ${error.message}`);
  if (status !== 0) throw new Problem(`${what} has failed:\n${stdout}${stderr}`);
}

/** Throws Unavailable, with what to do about it, where this machine cannot record. */
export async function demandRecording(scope, root) {
  const tracer = join(root, programs, tracerName);
  if (!existsSync(tracer)) throw new Unavailable('the tracer is not built: ./learn replay --record builds it');
  await demandTracing(scope, tracer);
  await listSockets(null);
  await demandTcpdump(scope);
}

/**
 * Records a session of a chapter whose server is built: `session`, or else what plans.mjs says. Further `options` are those of record(). Where
 * the kernel chooses who gets a client, the session is recorded again until the choice is the wanted one; throws Problem where that does not come,
 * and Unavailable where this machine cannot record.
 */
export async function recordChapter(scope, root, chapter, { session, ...options } = {}) {
  const executable = join(root, programs, chapter);
  const plan = planOf(chapter, session);
  await demandRecording(scope, root);
  demandExecutable(executable);
  return untilChosen(scope, chapter, (attempt) => record(attempt, { root, name: chapter, tracer: join(root, programs, tracerName), executable, ...plan, ...options }));
}

/** What `make(scope)` returns when it has not thrown OtherChoice any more. */
export async function untilChosen(scope, chapter, make) {
  for (let tries = 1; ; tries += 1) {
    const attempt = new Scope();
    scope.defer(() => attempt.close());
    try {
      return await make(attempt);
    } catch (error) {
      if (!(error instanceof OtherChoice)) throw error;
      if (tries === mostTries) throw new Problem(`${chapter}: in ${tries} recordings the kernel has never given the clients to the threads that are wanted; the last time: ${error.message}`);
    } finally {
      await attempt.close();
    }
  }
}
