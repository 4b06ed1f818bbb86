// Records what a server does in a session, as strace sees it, and makes a story of it (see story.mjs).

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { listChapters, withoutNumber } from '../chapters.mjs';
import { readChoice } from './command-line.mjs';
import { resolveInterruptions } from './interruptions.mjs';
import { Problem, Unavailable, UsageProblem } from './problem.mjs';
import { readProc } from './proc.mjs';
import { QuietWatcher } from './quiet.mjs';
import { startServer } from './run-server.mjs';
import { selectItems } from './selection.mjs';
import { runOneClient, runResettingClient, runTwoClients, runUpgrade } from './session.mjs';
import { joinCalls, parseStrace } from './strace-lines.mjs';
import { tellStory } from './story.mjs';
import { tracedCalls } from './syscalls.mjs';

/** The sessions that each server can have: their names to [what they are called, what runs them]. */
export const commonSessions = {
  one: ['one client', runOneClient], two: ['two clients', runTwoClients], reset: ['a client that resets', runResettingClient],
};

/** The sessions that can be traced. The third word is the chapter, without its number, from which on servers can have it. */
export const traceSessions = { ...commonSessions, upgrade: ['an upgrade', runUpgrade, 'successor'] };

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** Throws UsageProblem where the chapter `name` (13-epoll) cannot have the session. What is no chapter's name may be a server that can. */
export function demandSession(session, name) {
  const [words, , first] = traceSessions[session];
  if (first === undefined) return;
  const chapters = listChapters(root);
  const [at, from] = [chapters.indexOf(name), chapters.findIndex((chapter) => withoutNumber(chapter) === first)];
  if (at === -1 || at >= from) return;
  throw new UsageProblem(`--session ${session} is ${words}, which servers can from ${chapters[from]} on: ${name} starts no next version of itself`);
}

/** The session that --session names, for the chapter `name`. Throws UsageProblem. */
export function readSession(values, name, fallback = 'one') {
  const session = readChoice(values, 'session', [fallback, ...Object.keys(traceSessions).filter((key) => key !== fallback)]);
  demandSession(session, name);
  return session;
}

const spinningLead = 50; // ms: see step() below

/**
 * Traces the server through a session: {story, problem}. Where the session came to no end, `problem` says why, and the
 * story tells what there was until then. Throws Problem where there is nothing to tell.
 */
export async function recordTrace(scope, executable, { session = 'one', serverOptions = [] } = {}) {
  const { text, steps, end, problem } = await record(scope, executable, serverOptions, traceSessions[session][1]);
  const items = selectItems(resolveInterruptions(joinCalls(parseStrace(text))));
  return { story: tellStory(items, steps, end), problem };
}

/** Throws Unavailable, with what to do about it, where strace is missing or may not trace. */
export function demandStrace() {
  const trial = spawnSync('strace', ['-o', '/dev/null', 'true'], { encoding: 'utf8', timeout: 10_000 });
  if (trial.error?.code === 'ENOENT') throw new Unavailable('strace is not installed; install it: ./learn doctor says how');
  if (trial.status === 0) return;
  const scopeOfYama = Number(readProc('sys/kernel/yama/ptrace_scope') ?? 0);
  const remedy = scopeOfYama >= 2
    ? `the setting kernel.yama.ptrace_scope is ${scopeOfYama}; allow it until the next boot: sudo sysctl kernel.yama.ptrace_scope=1`
    : 'a container needs the right to trace: docker run --cap-add SYS_PTRACE';
  throw new Unavailable(`strace may not trace a program here (${trial.stderr.trim().split('\n')[0]}); ${remedy}`);
}

/**
 * Runs the session under strace. Returns the trace's text and the steps with the times of their starts; and, where the
 * session came to no end, the problem: what there was until then is what the learner wants to see.
 */
async function record(scope, executable, serverOptions, runSession) {
  const folder = mkdtempSync(join(tmpdir(), 'learn-trace-'));
  scope.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'trace');
  // A file, not a pipe: a pipe would be one more descriptor of the server and shift the numbers of its own.
  const wrapper = ['strace', '-f', '-q', '-ttt', '-T', '-s', '80', '-e', `trace=${tracedCalls}`, '-o', file, '--'];
  const steps = [{ title: 'the server starts', start: 0 }];
  let server;
  try {
    server = await startServer(scope, executable, { options: ['--port', '0', ...serverOptions], wrapper });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return stopShort(error);
  }
  const quiet = new QuietWatcher(server.group);
  const isBusy = async () => !(await quiet.wait());
  steps[0].isBusy = await isBusy();

  async function stopShort(problem) {
    const end = Date.now() / 1000;
    await server?.stop(); // strace writes the call in which the server sleeps when that call ends
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (text === '') throw problem;
    steps.at(-1).title += ': this far and no further';
    return { text, steps, end, problem };
  }

  async function step(title, act) {
    const notes = {};
    const before = steps.at(-1);
    const entry = { title, heading: title, start: Date.now() / 1000 };
    steps.push(entry);
    // A server that never rests repeats itself before it notices the client: in every run, not only in some.
    if (before.isBusy) await sleep(spinningLead);
    await act(notes);
    entry.isBusy = await isBusy();
    entry.title += notes.titleEnd ?? '';
    entry.isEcho = notes.isEcho;
  }

  try {
    await runSession({ scope, server, step, waitForQuiet: (stretch) => quiet.wait(stretch) });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return stopShort(error);
  }
  const end = Date.now() / 1000;
  await server.stop();
  return { text: readFileSync(file, 'utf8'), steps, end };
}
