#!/usr/bin/env node
// ./learn fleet: three echo servers behind a balancer, each on a machine of its own, and what clients see of their ends.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withoutNumber } from '../chapters.mjs';
import { readCommandLine } from '../observe/command-line.mjs';
import { runTool } from '../observe/program.mjs';
import { habits } from './load.mjs';
import { makeNetwork } from './network.mjs';
import { checkProxy } from './proxy.mjs';
import { crowd, demandOutcome, runScenario, scenarios } from './scenarios.mjs';
import { alignColumns, tabulate, tabulateOpen } from './table.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

await runTool('fleet', 'fleet.mjs CHAPTER EXECUTABLE [--quick | --record | --proxy]', async (scope) => {
  const { name, executable, quick, record, proxy } = readCommandLine(process.argv.slice(2), {
    quick: { type: 'boolean' }, record: { type: 'boolean' }, proxy: { type: 'boolean' },
  });
  const folder = mkdtempSync(join(tmpdir(), 'learn-fleet-'));
  scope.defer(() => rmSync(folder, { recursive: true }));
  makeNetwork(scope);
  if (proxy) return checkProxy(scope, resolve(executable), folder);
  const results = [];
  for (const scenario of scenarios.filter(({ isLong }) => !(quick && isLong))) {
    tell(`${scenario.title} ...`);
    results.push(await runScenario(scope, scenario, resolve(executable), folder, (words) => tell(`  ${words}`)));
  }
  console.log(`Three servers of ${name} behind one balancer, ${crowd.visitors} visitors, ${crowd.residents} residents and ${crowd.readers} slow readers:\n`);
  console.log(alignColumns(tabulate(results)).join('\n'));
  console.log('\nConnections that the balancer had at the end, to each machine:\n');
  console.log(alignColumns(tabulateOpen(results)).join('\n'));
  demandOutcome(results);
  if (record) {
    writeFileSync(join(root, 'docs/fleet-results.json'), `${JSON.stringify(describe(name, results), null, 2)}\n`);
    tell('written: docs/fleet-results.json; tools/docs/docs sync writes the tables of docs/fleet.md anew');
  }
});

function tell(words) {
  process.stderr.write(`${words}\n`);
}

// In the file a chapter has no number: it may get another one.
function describe(name, results) {
  return {
    format: 1,
    date: new Date().toISOString().slice(0, 10),
    chapter: withoutNumber(name),
    haproxy: /version (\d+\.\d+\.\d+)/.exec(execFileSync('haproxy', ['-v'], { encoding: 'utf8' }))?.[1] ?? 'unknown',
    machine: { processors: cpus().length, kernel: `Linux ${/^\d+\.\d+/.exec(release())[0]}` },
    clients: { ...crowd, ...habits },
    scenarios: results,
  };
}
