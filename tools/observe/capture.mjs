#!/usr/bin/env node
// Shows the packets of a short session with a chapter's server, as tcpdump sees them.

import { readChoice, readCommandLine, splitAtDashes } from './command-line.mjs';
import { demandPlace, keepPackets } from './keep-packets.mjs';
import { runTool } from './program.mjs';
import { captureSessions, recordPackets } from './record-packets.mjs';
import { renderCapture } from './render-packets.mjs';
import { demandExecutable } from './run-server.mjs';

const usage = 'capture NAME EXECUTABLE [--plain] [--session one|reset] [--pcap FILE] [-- SERVER-OPTION...]';

runTool('capture', usage, async (scope) => {
  const [words, serverOptions] = splitAtDashes(process.argv.slice(2));
  const options = readCommandLine(words, { plain: { type: 'boolean' }, session: { type: 'string' }, pcap: { type: 'string' } });
  const session = readChoice(options, 'session', Object.keys(captureSessions));
  demandExecutable(options.executable);
  const place = options.pcap === undefined ? null : demandPlace(options.pcap);
  const { steps, verdict, problem } = await recordPackets(scope, options.executable, { session, serverOptions });
  const title = `${options.name}, ${captureSessions[session][0]}: the packets`;
  if (place !== '-') process.stdout.write(renderCapture(steps, verdict, title, options.plain));
  if (place !== null) keepPackets(place, steps, title);
  if (problem) throw problem;
});
