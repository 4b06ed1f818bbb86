// Builds what a command needs, as ./learn does it: with its set-up, its lock and its messages.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Problem } from '../observe/problem.mjs';

const script = `set -euo pipefail
cd "$LEARN_ROOT"
source tools/learn/lib.sh
source tools/learn/setup.sh
need $1
build default "\${@:2}"`;

/**
 * Builds targets of the default preset, installing first (after a question) what the groups of tools/learn/setup.sh name
 * and the machine lacks. Throws Problem when it has failed; the reason stands on stderr then.
 */
export async function build(scope, root, targets, groups = ['build']) {
  const child = spawn('bash', ['-c', script.replace('$1', groups.join(' ')), 'learn', 'build', ...targets], {
    stdio: ['inherit', process.stderr, process.stderr],
    env: { ...process.env, LEARN_ROOT: root, LEARN_FROM: process.env.LEARN_FROM ?? process.cwd(), LEARN_COMMANDS: process.env.LEARN_COMMANDS ?? '' },
  });
  const ended = once(child, 'exit');
  scope.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended.catch(() => {});
  });
  const [code, signal] = await ended;
  if (signal) throw new Problem(`building was ended by ${signal}`);
  if (code !== 0) throw new Problem('without it there is nothing to go on with: the reason is above', code === 2 ? 1 : code);
}
