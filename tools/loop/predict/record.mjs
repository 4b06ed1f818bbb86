// Records what the questions are made from, and what grades them.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { captureSessions, demandTcpdump, recordPackets } from '../../observe/record-packets.mjs';
import { commonSessions, demandStrace, recordTrace } from '../../observe/record-trace.mjs';
import { showPackets, showTrace } from './evidence.mjs';
import { makePacketQuestions } from './packet-questions.mjs';
import { makeTraceQuestions } from './trace-questions.mjs';

/** The two ways to look at a session. `record` gives what `makeQuestions` compares; both throw Problem. */
export const viewpoints = {
  trace: {
    name: 'trace', what: 'system calls', seen: 'the trace', command: 'trace', sessions: Object.keys(commonSessions), group: 'trace',
    demand: () => demandStrace(),
    record: async (...words) => demandEnd(await recordTrace(...words), 'story'),
    makeQuestions: makeTraceQuestions, show: showTrace,
  },
  packets: {
    name: 'packets', what: 'packets', seen: 'the packets', command: 'capture', sessions: Object.keys(captureSessions), group: 'capture',
    demand: demandTcpdump,
    record: async (...words) => demandEnd(await recordPackets(...words), 'steps'),
    makeQuestions: makePacketQuestions, show: showPackets,
  },
};

// Of a session that came to no end nothing is asked.
function demandEnd(outcome, key) {
  if (outcome.problem) throw outcome.problem;
  return outcome[key];
}

const sparing = ['--workers', '2']; // as the chapters' texts record a pool: few lines, and as many on every machine

/** The path of a chapter's server, and the options with which it is recorded. */
export function findServer(root, chapter) {
  const executable = join(root, 'build/bin', chapter);
  const help = spawnSync(executable, ['--help'], { encoding: 'utf8', timeout: 10_000 });
  return { executable, serverOptions: help.stdout?.includes(`${sparing[0]} `) ? sparing : [] };
}

/** What a session does, in a sentence: no word of how the server takes it. */
export const descriptions = {
  one: 'one client connects, sends "hello\\n", receives its echo, closes its sending side, receives the end of file, and closes',
  two: 'a first client connects and stays silent; a second one connects and sends "hello\\n"; then both close, one after the other',
  reset: 'one client connects, sends "hello\\n", receives its echo, and resets the connection',
};
