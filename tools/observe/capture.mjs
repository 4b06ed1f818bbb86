#!/usr/bin/env node
// Shows the packets of a short session with a chapter's server, as tcpdump sees them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { makePainter } from './colour.mjs';
import { readChoice, readCommandLine, splitAtDashes } from './command-line.mjs';
import { PcapReader } from './pcap.mjs';
import { Problem, Unavailable } from './problem.mjs';
import { runTool } from './program.mjs';
import { QuietWatcher } from './quiet.mjs';
import { demandExecutable, startServer } from './run-server.mjs';
import { runOneClient, runResettingClient } from './session.mjs';
import { TcpConnection } from './tcp-states.mjs';
import { lookForTimeWait } from './time-wait.mjs';
import { becomesTrue, patience, waitFor } from './waits.mjs';

const usage = 'capture NAME EXECUTABLE [--plain] [--session one|reset] [-- SERVER-OPTION...]';
const sessions = { one: ['one client', runOneClient], reset: ['a client that resets', runResettingClient] };
const howToGetTheRight = 'capture as root (sudo ./learn capture 3), '
  + 'or give tcpdump the right once: sudo setcap cap_net_raw+ep "$(command -v tcpdump)" (setcap is in the package libcap2-bin on Debian)';

runTool('capture', usage, async (scope) => {
  const [words, serverOptions] = splitAtDashes(process.argv.slice(2));
  const options = readCommandLine(words, { plain: { type: 'boolean' }, session: { type: 'string' } });
  const [sessionName, runSession] = sessions[readChoice(options, 'session', Object.keys(sessions))];
  demandExecutable(options.executable);
  const server = await startServer(scope, options.executable, { options: ['--port', '0', ...serverOptions] });
  const { steps, verdict, problem } = await record(scope, server, runSession);
  process.stdout.write(renderCapture(steps, verdict, `${options.name}, ${sessionName}: the packets`, options.plain));
  if (problem) throw problem;
});

/**
 * Runs the session while tcpdump looks on. Returns the steps with their packets, and who is in TIME_WAIT; or, where the
 * session came to no end, the problem.
 */
async function record(scope, server, runSession) {
  const connection = new TcpConnection(server.port);
  const steps = [];
  const tcpdump = await startTcpdump(scope, server.port, (packet) => steps.at(-1).packets.push(connection.observe(packet)));
  const quiet = new QuietWatcher(server.group);

  async function step(title, act, progress) {
    steps.push({ title, packets: [] });
    await act({});
    // The next step must not overtake an acknowledgement, which the kernel may delay (40 ms and more).
    const settled = await becomesTrue(() => tcpdump.failed() || connection.hasCome(progress));
    if (tcpdump.failed()) {
      throw new Problem(`tcpdump has not shown all packets of the step '${title}'; run it again. ${tcpdump.complaints()}`.trim());
    }
    if (!settled) throw new Problem(`waited ${patience / 1000} s for what is still to come in the step '${title}', and it did not come`);
    await quiet.wait();
  }

  let verdict = '';
  let problem;
  try {
    await runSession({ scope, server, step });
    verdict = await findTimeWait(connection);
  } catch (error) {
    if (!(error instanceof Problem) || steps.length === 0) throw error;
    problem = error;
    steps.at(-1).title += ': this far and no further';
  }
  await tcpdump.stop();
  return { steps, verdict, problem };
}

/** Starts tcpdump and waits until it captures. Throws Unavailable when it may not. */
async function startTcpdump(scope, port, onPacket) {
  const words = ['-i', 'lo', '--immediate-mode', '-U', '-n', '-w', '-', `tcp port ${port}`];
  const tcpdump = spawn('tcpdump', words, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(tcpdump, 'exit').catch((error) => error);
  const isRunning = () => tcpdump.pid !== undefined && tcpdump.exitCode === null && tcpdump.signalCode === null;
  const killAtOnce = () => isRunning() && tcpdump.kill('SIGKILL');
  process.on('exit', killAtOnce); // the last resort, where no promise is waited for any more

  async function stop() {
    if (!isRunning()) return;
    tcpdump.kill('SIGINT');
    await waitFor('the end of tcpdump', ended, 2000).catch(killAtOnce);
    await ended;
  }
  scope.defer(stop);

  let complaints = '';
  let broken = '';
  const reader = new PcapReader(onPacket);
  tcpdump.stdout.on('data', (bytes) => {
    try {
      reader.push(bytes);
    } catch (error) {
      broken = error.message;
    }
  });
  const ready = new Promise((resolve) => {
    tcpdump.stderr.setEncoding('utf8').on('data', (text) => {
      complaints += text;
      if (/listening on lo/.test(complaints)) resolve('ready');
    });
  });
  const outcome = await waitFor('tcpdump to listen on lo', Promise.race([ready, ended]), patience);
  if (outcome?.code === 'ENOENT') throw new Unavailable('tcpdump is not installed; install it: ./learn doctor says how');
  if (outcome !== 'ready') {
    await becomesTrue(() => tcpdump.stderr.readableEnded, 500);
    throw new Unavailable(`tcpdump may not capture here (${complaints.trim().replace(/\s*\n\s*/g, ' ')}); ${howToGetTheRight}`);
  }
  return { stop, failed: () => broken !== '' || !isRunning(), complaints: () => broken || complaints.trim().split('\n').at(-1) };
}

/** Who the packets say is in TIME_WAIT, and whether the kernel says so too: one sentence. */
async function findTimeWait({ states, ports }) {
  const expected = Object.keys(states).filter((side) => states[side] === 'TIME_WAIT').join(' and ') || 'nobody';
  let found;
  await becomesTrue(() => {
    found = lookForTimeWait(ports);
    return found.side === expected;
  }, 1000, 50);
  const agreed = found.side === expected ? `${found.source} agrees` : `${found.source} says: ${found.side}`;
  return expected === 'nobody' ? `in TIME_WAIT: nobody (${agreed})`
    : `in TIME_WAIT: the ${expected}, who sent the first FIN (${agreed})`;
}

function renderCapture(steps, verdict, title, plain) {
  const paint = makePainter({ plain });
  const isShown = ({ kind }) => !plain || (kind !== 'ack' && kind !== 'again');
  let number = 0;
  let states = firstStates;
  const blocks = steps.map(({ title, packets }) => {
    const rows = packets.filter(isShown).map((packet) => {
      const row = renderPacket(packet, { number: (number += 1), before: states, paint });
      states = packet.states;
      return row;
    });
    return [paint('bold', title), ...(rows.length > 0 ? rows : [paint('faint', '  no packet')]), ''].join('\n');
  });
  return [
    paint('bold', title),
    paint('faint', plain ? plainLegend : fullLegend),
    '',
    `${' '.repeat(packetWidth)}${paint('cyan', 'client'.padEnd(stateWidth))}${paint('green', 'server')}`,
    `${' '.repeat(packetWidth)}${firstStates.client.padEnd(stateWidth)}${firstStates.server}`,
    '',
    ...blocks,
    verdict,
    '',
  ].join('\n');
}

const packetWidth = 66;
const stateWidth = 15;
const firstStates = { client: 'CLOSED', server: 'LISTEN' };

const fullLegend = 'seq and ack count bytes; SYN and FIN count as one each; on the right are the states to which a packet leads';
// Whether an ACK comes alone depends on the kernel's version and on the load, so two captures would differ.
const plainLegend = `${fullLegend}
left out: packets that only acknowledge, between handshake and close; the kernel sends one, or lets the next
packet carry the acknowledgement, as the moment demands (for the client's FIN: FIN_WAIT_2 lies between, or not)`;

function renderPacket({ from, to, flags, seq, ack, length, payload, kind, states }, { number, before, paint }) {
  const words = [
    `seq ${seq}`,
    ...(ack === null ? [] : [`ack ${ack}`]),
    ...(length > 0 ? [`${length} bytes ${describeText(payload)}`] : []),
    ...(kind === 'again' ? ['(again)'] : []),
  ].join(', ');
  const style = from === 'client' ? 'cyan' : 'green';
  const packet = `${String(number).padStart(2)}  ${from} → ${to}  ${nameFlags(flags).padEnd(8)}  ${words}`;
  const change = (side) => (states[side] === before[side] ? '' : states[side]);
  const stateChanges = `${change('client').padEnd(stateWidth)}${change('server')}`;
  return `${paint(style, packet.padEnd(packetWidth))}${stateChanges}`.trimEnd();
}

const nameFlags = (flags) => ['syn', 'psh', 'fin', 'rst', 'ack'].filter((flag) => flags.has(flag)).join('+').toUpperCase();

function describeText(payload, longest = 24) {
  const text = payload.toString('latin1');
  return text.length > longest ? `${JSON.stringify(text.slice(0, longest))}…` : JSON.stringify(text);
}
