#!/usr/bin/env node
// Compares the packets of the same short session with two servers.

import { parseArgs } from 'node:util';
import { readChoice, splitAtDashes } from './command-line.mjs';
import { renderComparison } from './compare-packets.mjs';
import { UsageProblem } from './problem.mjs';
import { runTool } from './program.mjs';
import { captureSessions, recordPackets } from './record-packets.mjs';
import { demandExecutable } from './run-server.mjs';

const usage = 'capture-two NAME EXECUTABLE NAME EXECUTABLE [--plain] [--session one|reset] [-- SERVER-OPTION...]';

runTool('capture', usage, async (scope) => {
  const [words, serverOptions] = splitAtDashes(process.argv.slice(2));
  const { values, positionals } = parseArgs({ args: words, allowPositionals: true, options: { plain: { type: 'boolean' }, session: { type: 'string' } } });
  if (positionals.length !== 4) throw new UsageProblem('two names are wanted, each with its executable');
  const session = readChoice(values, 'session', Object.keys(captureSessions));
  const servers = [positionals.slice(0, 2), positionals.slice(2)];
  servers.forEach(([, executable]) => demandExecutable(executable));
  const recorded = [];
  for (const [name, executable] of servers) {
    const { steps, problem } = await recordPackets(scope, executable, { session, serverOptions });
    if (problem) {
      problem.message = `${name}: ${problem.message}`;
      throw problem;
    }
    recorded.push({ name, steps });
  }
  const title = `${recorded[0].name} and ${recorded[1].name}, ${captureSessions[session][0]}: the packets`;
  process.stdout.write(renderComparison(...recorded, title, values));
});
