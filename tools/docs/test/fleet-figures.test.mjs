// Tables of what clients saw of several machines: docs/fleet.md keeps up with docs/fleet-results.json.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { makeSyncedProject } from './fixture.mjs';

const scenario = {
  id: 'steady', title: 'steady', connections: 1234, refused: 0, reset: 0, timed_out: 0, timed_out_half_closed: 0, cut_off: 0, ended: 0, bytes_sent: 5, not_echoed: { visitors: 6, residents: 7, readers: 8 },
  longest_wait_ms: 9, open_at_the_end: { m1: 1, m2: 2, m3: 3 },
};
const results = {
  format: 1, date: '2026-01-02', haproxy: '2.6.0', machine: { processors: 2, kernel: 'Linux 6.1' }, clients: { visitors: 3, residents: 2, readers: 1 },
  scenarios: [scenario, { ...scenario, id: 'rolling', title: 'rolling upgrade', connections: 99 }],
};

let tree;
afterEach(() => tree.remove());

function makeTree(markers, text = JSON.stringify(results)) {
  tree = makeSyncedProject();
  tree.write('docs/fleet.md', `# More than one machine\n\n${markers.map((marker) => `<!-- figures ${marker} -->\n<!-- /figures -->\n`).join('\n')}`);
  if (text !== null) tree.write('docs/fleet-results.json', text);
  return tree;
}

test('sync writes the tables, check compares them with the file', () => {
  makeTree(['fleet', 'fleet rolling steady', 'fleet-open']);
  assert.equal(tree.run('sync').status, 0);
  const synced = tree.read('docs/fleet.md');
  assert.match(synced, /\| steady \| 1,234 \| 0 \|.*\n\| rolling upgrade \| 99 \|/);
  assert.match(synced, /\|  \| rolling upgrade \| steady \|\n\| --- \| --: \| --: \|\n\| connections \| 99 \| 1,234 \|\n/);
  assert.match(synced, /\|  \| m1 \| m2 \| m3 \|\n.*\n\| steady \| 1 \| 2 \| 3 \|/);
  assert.match(synced, /2026-01-02, HAProxy 2\.6\.0, Linux 6\.1, 2 processors; 3 visitors, 2 residents, 1 slow readers\./);
  assert.equal(tree.run('check').status, 0);

  tree.edit('docs/fleet.md', '| connections | 99 |', '| connections | 98 |');
  const { status, findings } = tree.run('check');
  assert.equal(status, 1);
  assert.match(findings.join('\n'), /docs\/fleet\.md:\d+: the figures under this marker are stale: line 3 is .* from docs\/fleet-results\.json it is "\| connections \| 99 \| 1,234 \|"/);
});

test('a file or a scenario that is not there is named, with the command that makes it', () => {
  makeTree(['fleet dead'], JSON.stringify(results));
  assert.match(tree.run('check').findings.join('\n'), /has no scenario "dead"; it has steady, rolling/);
  tree.remove();
  makeTree(['fleet'], null);
  assert.match(tree.run('check').findings.join('\n'), /there is no docs\/fleet-results\.json.*\.\/learn fleet --record/);
  tree.remove();
  makeTree(['fleet'], '{"format": 2}');
  assert.match(tree.run('check').findings.join('\n'), /has no scenarios in the format 1/);
  tree.remove();
  makeTree(['fleet-open steady']);
  assert.match(tree.run('check').findings.join('\n'), /write <!-- figures fleet-open -->/);
});
