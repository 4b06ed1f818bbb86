#!/usr/bin/env node
// Shows the system calls of a chapter's server in a short session, as strace sees them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makePainter, styleOfRole } from './colour.mjs';
import { readChoice, readCommandLine, splitAtDashes } from './command-line.mjs';
import { closeBracket } from './describe-calls.mjs';
import { resolveInterruptions } from './interruptions.mjs';
import { Problem, Unavailable } from './problem.mjs';
import { readProc } from './proc.mjs';
import { runTool } from './program.mjs';
import { QuietWatcher } from './quiet.mjs';
import { compressRoles } from './roles.mjs';
import { demandExecutable, startServer } from './run-server.mjs';
import { selectItems } from './selection.mjs';
import { runOneClient, runResettingClient, runTwoClients } from './session.mjs';
import { joinCalls, parseStrace } from './strace-lines.mjs';
import { tellStory } from './story.mjs';
import { tracedCalls } from './syscalls.mjs';

const usage = 'trace NAME EXECUTABLE [--plain] [--session one|two|reset] [-- SERVER-OPTION...]';
const sessions = { one: ['one client', runOneClient], two: ['two clients', runTwoClients], reset: ['a client that resets', runResettingClient] };
const spinningLead = 50; // ms: see step() below
const fewTurns = 20; // up to here a count is exact in every run; a loop that spins comes by thousands

runTool('trace', usage, async (scope) => {
  const [words, serverOptions] = splitAtDashes(process.argv.slice(2));
  const options = readCommandLine(words, { plain: { type: 'boolean' }, session: { type: 'string' } });
  const [sessionName, runSession] = sessions[readChoice(options, 'session', Object.keys(sessions))];
  demandExecutable(options.executable);
  demandStrace();
  const { text, steps, end, problem } = await record(scope, options.executable, serverOptions, runSession);
  const items = selectItems(resolveInterruptions(joinCalls(parseStrace(text))));
  const story = tellStory(items, steps, end);
  process.stdout.write(renderStory(story, `${options.name}, ${sessionName}: strace of the server`, options.plain));
  if (problem) throw problem;
});

function demandStrace() {
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

  function stopShort(problem) {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (text === '') throw problem;
    steps.at(-1).title += ': this far and no further';
    return { text, steps, end: Date.now() / 1000, problem };
  }

  async function step(title, act) {
    const notes = {};
    const before = steps.at(-1);
    const entry = { title, start: Date.now() / 1000 };
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

function renderStory(story, title, plain) {
  const paint = makePainter({ plain });
  const roleWidth = Math.max(0, ...story.flatMap(({ lines }) => lines.map(({ role }) => role.length)));
  const parts = story.map((step) => renderStep(step, { paint, plain, roleWidth }));
  const legend = ['(asleep) the call has begun and waits; a line that begins with … is where it returns',
    ...(plain ? [] : ["the time after a heading: from the beginning of the step to the server's last call in it, slowed down by strace"])];
  return [`${paint('bold', title)}\n${legend.map((line) => paint('faint', line)).join('\n')}\n`, ...parts, summarise(story)].filter(Boolean).join('\n');
}

function renderStep({ title, lines, idle, elapsed }, { paint, plain, roleWidth }) {
  const time = plain || lines.length === 0 ? '' : paint('faint', `   ${(elapsed * 1000).toFixed(1)} ms`);
  const body = lines.length === 0
    ? [paint('faint', `  ${describeIdleness(idle)}`)]
    : lines.map((line) => `  ${paint(styleOfRole(line.role), line.role.padEnd(roleWidth))}  ${renderLine(line, paint, plain)}`);
  return [`${paint('bold', title)}${time}`, ...body, ''].join('\n');
}

function renderLine({ text, isAsleep, turns, length }, paint, plain) {
  if (turns === undefined) return isAsleep ? `${text}${paint('faint', '   (asleep)')}` : text;
  const often = plain && turns > fewTurns ? 'again and again' : `${turns.toLocaleString('en')} times`;
  return paint('faint', length === 1 ? `… ${often}` : `… these ${length} calls ${often}`);
}

function describeIdleness(idle) {
  const sleepers = idle.filter(({ asleepIn }) => asleepIn);
  if (idle.some(({ repeats }) => repeats)) return 'nothing new: the calls above are repeated';
  if (sleepers.length === 0) return 'the server does nothing';
  const [first, ...others] = groupSleepers(sleepers);
  if (others.length === 0 && first.roles === 'server') return `the server does nothing: it is asleep in ${first.call}`;
  const rest = others.map(({ roles, call }) => `, ${roles} in ${call}`).join('');
  return `nothing happens: ${first.roles} is asleep in ${first.call}${rest}`;
}

/** One {roles, call} for all who are asleep in the same call. */
function groupSleepers(sleepers) {
  const calls = [...new Set(sleepers.map(({ asleepIn }) => asleepIn))];
  return calls.map((call) => ({
    roles: compressRoles(sleepers.filter(({ asleepIn }) => asleepIn === call).map(({ role }) => role)),
    call: closeBracket(call),
  }));
}

function summarise(story) {
  const echo = story.find(({ isEcho }) => isEcho);
  if (echo === undefined) return '';
  const count = echo.calls.length;
  const beside = echo.lines.some(({ turns }) => turns > 1) ? ', beside those that are repeated' : '';
  return `one echo: ${count} system call${count === 1 ? '' : 's'} (${echo.calls.join(', ')})${beside}\n`;
}
