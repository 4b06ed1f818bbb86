#!/usr/bin/env node
// Shows the system calls of a chapter's server in a short session, as strace sees them.

import { makePainter, styleOfRole } from './colour.mjs';
import { readCommandLine, splitAtDashes } from './command-line.mjs';
import { closeBracket } from './describe-calls.mjs';
import { runTool } from './program.mjs';
import { demandStrace, readSession, recordTrace, traceSessions } from './record-trace.mjs';
import { compressRoles } from './roles.mjs';
import { demandExecutable } from './run-server.mjs';

const usage = 'trace NAME EXECUTABLE [--plain] [--session one|two|reset|upgrade] [-- SERVER-OPTION...]';
const fewTurns = 20; // up to here a count is exact in every run; a loop that spins comes by thousands

runTool('trace', usage, async (scope) => {
  const [words, serverOptions] = splitAtDashes(process.argv.slice(2));
  const options = readCommandLine(words, { plain: { type: 'boolean' }, session: { type: 'string' } });
  const session = readSession(options, options.name);
  demandExecutable(options.executable);
  demandStrace();
  const { story, problem } = await recordTrace(scope, options.executable, { session, serverOptions });
  process.stdout.write(renderStory(story, `${options.name}, ${traceSessions[session][0]}: strace of the server`, options.plain));
  if (problem) throw problem;
});

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
