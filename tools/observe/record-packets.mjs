// Records the packets of a session with a server, as tcpdump sees them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PcapReader } from './pcap.mjs';
import { Problem, Unavailable } from './problem.mjs';
import { QuietWatcher } from './quiet.mjs';
import { startServer } from './run-server.mjs';
import { runOneClient, runResettingClient } from './session.mjs';
import { TcpConnection } from './tcp-states.mjs';
import { lookForTimeWait } from './time-wait.mjs';
import { becomesTrue, patience, waitFor } from './waits.mjs';

/** The sessions whose packets can be captured: their names to [what they are called, what runs them]. */
export const captureSessions = { one: ['one client', runOneClient], reset: ['a client that resets', runResettingClient] };
const howToGetTheRight = 'capture as root (the same command behind sudo), '
  + 'or give tcpdump the right once: sudo setcap cap_net_raw+ep "$(command -v tcpdump)" (setcap is in the package libcap2-bin on Debian)';

/** The states of both sides before the first packet. */
export const firstStates = { client: 'CLOSED', server: 'LISTEN' };

/**
 * Whether the plain form shows a packet. Whether an ACK comes alone depends on the kernel's version and on the load, so
 * two captures would differ.
 */
export const isSure = ({ kind }) => kind !== 'ack' && kind !== 'again';

/** Starts the server and captures the packets of a session with it: what record() below returns. */
export async function recordPackets(scope, executable, { session = 'one', serverOptions = [] } = {}) {
  const server = await startServer(scope, executable, { options: ['--port', '0', ...serverOptions] });
  try {
    return await record(scope, server, captureSessions[session][1]);
  } finally {
    await server.stop();
  }
}

/** Throws Unavailable, with what to do about it, where tcpdump is missing or may not capture. */
export async function demandTcpdump(scope) {
  const tcpdump = await startTcpdump(scope, [1], () => {});
  await tcpdump.stop();
}

/**
 * Runs the session while tcpdump looks on. Returns the steps with their packets, and who is in TIME_WAIT; or, where the
 * session came to no end, the problem.
 */
async function record(scope, server, runSession) {
  const connection = new TcpConnection(server.port);
  const steps = [];
  const tcpdump = await startTcpdump(scope, [server.port], (packet) => steps.at(-1).packets.push({ ...connection.observe(packet), frame: packet.frame }));
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

/** Starts tcpdump on lo for some TCP ports, and waits until it captures. Throws Unavailable when it may not. */
export async function startTcpdump(scope, ports, onPacket) {
  const words = ['-i', 'lo', '--immediate-mode', '-U', '-n', '-w', '-', ports.map((port) => `tcp port ${port}`).join(' or ')];
  const tcpdump = spawn('tcpdump', words, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const isRunning = () => tcpdump.pid !== undefined && tcpdump.exitCode === null && tcpdump.signalCode === null;
  const killAtOnce = () => isRunning() && tcpdump.kill('SIGKILL');
  process.on('exit', killAtOnce); // the last resort, where no promise is waited for any more
  const ended = once(tcpdump, 'exit').catch((error) => error).finally(() => process.off('exit', killAtOnce));

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
