// Runs another program for a command of the loop, and keeps what it says.

import { spawn } from 'node:child_process';
import { Problem } from '../observe/problem.mjs';

const longestRun = 120_000; // ms, as CTest's limit for a test
const longestEnd = 5_000; // ms: who has not ended by then is made to

/**
 * Runs a program to its end, in a process group of its own: when the learner leaves, all that it has started ends with it.
 * Returns {status, stdout, stderr}; the status is null when a signal has ended it, as one does after `longestRun`. Throws Problem
 * where there is no such program.
 */
export async function runProgram(scope, program, words, { cwd, stderr = 'pipe' }) {
  const child = spawn(program, words, { cwd, detached: true, stdio: ['ignore', 'pipe', stderr], env: { ...process.env, NO_COLOR: '1' } });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream]?.setEncoding('utf8').on('data', (text) => (said[stream] += text));
  const end = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error; // it has ended already
    }
  };
  const timer = setTimeout(end, longestRun, 'SIGTERM');
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve(status));
  });
  ended.catch(() => {});
  scope.defer(async () => {
    clearTimeout(timer);
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    end('SIGTERM');
    const last = setTimeout(end, longestEnd, 'SIGKILL');
    await ended;
    clearTimeout(last);
  });
  try {
    return { status: await ended, ...said };
  } catch (error) {
    if (error.code === 'ENOENT') throw new Problem(`there is no program ${program}; ./learn doctor says what is missing`, 77);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
