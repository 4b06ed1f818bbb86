// Builds what a recording needs, and makes one.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, Unavailable } from '../../observe/problem.mjs';
import { demandTcpdump } from '../../observe/record-packets.mjs';
import { demandExecutable } from '../../observe/run-server.mjs';
import { record } from './record.mjs';
import { listSockets } from './ss.mjs';
import { demandTracing } from './tracer.mjs';

const programs = 'build-replay/bin';
export const tracerName = 'replay-tracer';

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

/** Records the session of a chapter whose server is built. Throws Unavailable where this machine cannot. */
export async function recordChapter(scope, root, chapter, options = {}) {
  const executable = join(root, programs, chapter);
  await demandRecording(scope, root);
  demandExecutable(executable);
  return record(scope, { root, name: chapter, tracer: join(root, programs, tracerName), executable, ...options });
}
