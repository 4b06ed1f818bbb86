// Runs the tools as a learner's command does, and looks for what they leave behind.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listProcesses, readProc, readStat } from '../proc.mjs';
import { becomesTrue } from '../waits.mjs';

const tools = dirname(dirname(fileURLToPath(import.meta.url)));
const executables = join(tools, '..', '..', 'build', 'bin');

export const executableOf = (name) => join(executables, name);

/** The reason to skip a test of these chapters' servers, or false. */
export function skipWithout(...names) {
  const missing = names.find((name) => !existsSync(executableOf(name)));
  return missing === undefined ? false : `build/bin/${missing} is not built`;
}

/**
 * Runs a tool to its end: {code, signal, out, err, left}, where `left` are the processes and files that
 * it has left behind. Its stdout can be a descriptor instead, or a terminal. `whileRunning(child, text)` is called with its stdout whenever some has come.
 * `input` is what it finds on stdin; 'open': whileRunning() writes it. `name` is a path from tools/observe/.
 */
export async function runTool(name, words, { environment = {}, stdout = 'pipe', isOnTerminal = false, input = null, whileRunning = () => {} } = {}) {
  const mark = `${process.pid}.${Math.random()}`; // What the tool starts inherits it.
  const folder = mkdtempSync(join(tmpdir(), 'learn-test-'));
  const env = { ...process.env, LEARN_TEST_MARK: mark, LEARN_USAGE: '', TMPDIR: folder, ...environment };
  const command = [process.execPath, join(tools, `${name}.mjs`), ...words];
  // script(1) gives it a terminal; what the tool writes to it, on stdout and stderr, is what script writes.
  if (isOnTerminal) command.splice(0, Infinity, 'script', '-qec', command.map((word) => `'${word}'`).join(' '), '/dev/null');
  const child = spawn(command[0], command.slice(1), { env, stdio: [input === null ? 'ignore' : 'pipe', stdout, 'pipe'] });
  child.stdin?.on('error', () => {}); // It may have ended already.
  if (input !== null && input !== 'open') child.stdin.end(input);
  let [out, err] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text) => whileRunning(child, (out += text)));
  child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 60_000);
  whileRunning(child, '');
  const [code, signal] = await once(child, 'close');
  clearTimeout(watchdog);
  // What is ended a moment later by the kernel is no leftover.
  await becomesTrue(() => findMarked(mark).length === 0, 1000);
  const left = [...findMarked(mark), ...readdirSync(folder)];
  rmSync(folder, { recursive: true, force: true });
  return { code, signal, out, err, left };
}

/** Waits until the tool has started something: a process named `name` with its mark in the environment. */
export async function waitForDescendant(parent, name) {
  const isDescendant = (pid) => {
    for (let stat = readStat(pid); stat !== null; stat = readStat(stat.parent)) {
      if (stat.parent === parent.pid) return true;
    }
    return false;
  };
  const isThere = () => listProcesses().some((pid) => readStat(pid)?.name === name && isDescendant(pid));
  if (!(await becomesTrue(isThere, 20_000))) throw new Error(`${name} was not started`);
}

function findMarked(mark) {
  return listProcesses().filter((pid) => readProc(`${pid}/environ`)?.includes(`LEARN_TEST_MARK=${mark}`))
    .map((pid) => `process ${pid} (${readStat(pid)?.name})`);
}

/** Ports of addresses and of htons() replaced by their order of appearance. */
export function normalisePorts(text) {
  const known = [];
  return text.replace(/(?<=127\.0\.0\.1:|htons\()[1-9]\d*/g, (port) => {
    if (!known.includes(port)) known.push(port);
    return `PORT${known.indexOf(port) + 1}`;
  });
}
