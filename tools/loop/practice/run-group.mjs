// Runs a command in a process group of its own, so that it can be ended with all that it has started.

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem, Unavailable } from '../../observe/problem.mjs';

const patience = 2000; // ms from the request to end until the group is killed

/** Returns {code, output}: stdout and stderr together, in the order in which they came. */
export async function runGroup(scope, program, words, { cwd, env = process.env } = {}) {
  // The shell joins the two, so that their order is kept.
  const child = spawn('sh', ['-c', 'exec "$0" "$@" 2>&1', program, ...words], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Problem(`cannot start ${program}: ${error.message}`)));
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  scope.defer(() => endGroup(child, ended));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const { code, signal } = await ended;
  if (signal) throw new Problem(`${program} was ended by ${signal}`);
  if (code === 127) throw new Unavailable(`${program} is not there: ${output.trim()}`);
  return { code, output };
}

async function endGroup(child, ended) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // It has ended meanwhile.
    }
  };
  signal('SIGTERM');
  await Promise.race([ended.catch(() => {}), sleep(patience, null, { ref: false })]);
  signal('SIGKILL');
}
