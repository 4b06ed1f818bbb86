// Recorded sessions: a `run` marker names a command, and the fence under it holds what it printed.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { diffArrays } from 'diff';
import { normalise } from './normalise.mjs';

const timeoutSeconds = 120;
const cannotRunHere = 77; // as in automake: the command's way to say that a right or a tool is missing
const longestDifference = 14;

export class SessionRunner {
  #results = new Map();

  constructor(root, { seconds = timeoutSeconds } = {}) {
    this.root = root;
    this.seconds = seconds;
  }

  // The same command in two documents runs once. Commands run one after another, so that none is in
  // the picture of another.
  async run(command) {
    if (!this.#results.has(command)) this.#results.set(command, await this.#runNow(command));
    return this.#results.get(command);
  }

  // {output} as lines, {skipped: reason} or {failed: reason}.
  async #runNow(command) {
    const missing = findMissingServer(command, this.root);
    if (missing !== undefined) return { failed: `"${command}" needs ${missing}, which is not built; build it: cmake --build build --target ${missing.split('/').at(-1)}` };
    const { status, stdout, stderr, isLate } = await runInShell(command, this.root, this.seconds);
    const lastWords = stderr.trimEnd().split('\n').at(-1) || `exit status ${status}`;
    if (isLate) return { failed: `"${command}" did not end within ${this.seconds} s; run it by hand to see why` };
    if (status === cannotRunHere) return { skipped: lastWords };
    if (status !== 0) return { failed: `"${command}" failed with exit status ${status}: ${lastWords}` };
    const output = stdout.trimEnd();
    return output === '' ? { failed: `"${command}" printed nothing to record` } : { output: output.split(/\r?\n/).map((line) => line.trimEnd()) };
  }
}

// A command that runs servers of build/bin names all of them. Without its server one would wait for a process that is not there, or,
// when the number has been given anew, for another one.
function findMissingServer(command, root) {
  if (!command.includes('build/bin/')) return undefined;
  return [...command.matchAll(/\b\d\d-[a-z]+(?:-[a-z]+)*\b/g)].map(([name]) => name)
    .filter((name) => existsSync(join(root, 'chapters', name)))
    .map((name) => `build/bin/${name}`).find((path) => !existsSync(join(root, path)));
}

const endSignals = ['SIGHUP', 'SIGINT', 'SIGTERM'];

// A signal that ends us ends the command, too: in a group of its own it would hear of none, and go on. Returns what takes that back.
function endTogether(child) {
  const end = (signal) => {
    endGroup(child);
    stop();
    process.kill(process.pid, signal);
  };
  const stop = () => endSignals.forEach((signal) => process.removeListener(signal, end));
  endSignals.forEach((signal) => process.on(signal, end));
  return stop;
}

// In a process group of its own, so that a late command ends with everything it started.
function runInShell(command, root, seconds) {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-c', command], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C.UTF-8', TERM: 'dumb', NO_COLOR: '1', PATIENCE: process.env.PATIENCE || '15' },
    });
    const stopListening = endTogether(child);
    const result = { status: null, stdout: '', stderr: '', isLate: false };
    child.stdout.setEncoding('utf8').on('data', (text) => (result.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (result.stderr += text));
    const timer = setTimeout(() => {
      result.isLate = true;
      endGroup(child);
    }, seconds * 1000);
    child.on('error', (error) => {
      result.stderr += error.message;
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      stopListening();
      resolve({ ...result, status: status ?? signal });
    });
  });
}

function endGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // the group is gone already
  }
  // What left the group may still hold the pipes open; nobody waits for it.
  child.stdout.destroy();
  child.stderr.destroy();
}

export function areSameSession(recorded, fresh) {
  return normalise(recorded.join('\n')) === normalise(fresh.join('\n'));
}

// The lines that differ in normalised form, few enough to read in a message.
export function describeDifference(recorded, fresh) {
  const [before, after] = [recorded, fresh].map((lines) => normalise(lines.join('\n')).split('\n'));
  const lines = diffArrays(before, after)
    .filter((change) => change.added || change.removed)
    .flatMap((change) => change.value.map((text) => `  ${change.added ? '+' : '-'} ${text}`));
  const more = lines.length - longestDifference;
  return [...lines.slice(0, longestDifference), ...(more > 0 ? [`  and ${more} more lines`] : [])].join('\n');
}
