// The tools on a server that does not go on: what there was until then is shown.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { executableOf, runTool, skipWithout } from './support.mjs';

const missing = skipWithout('04-exec');
const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
const canCapture = spawnSync('tcpdump', ['-i', 'lo', '-c', '1', '-w', '/dev/null', 'less 1'], { timeout: 300 }).error?.code === 'ETIMEDOUT';

// Its clients are served by a program that neither reads nor writes.
const runOnMute = (tool) => runTool(tool, ['04-exec', executableOf('04-exec'), '--plain', '--', '--exec', 'sleep 1000'],
  { environment: { PATIENCE: '2' } });

test('trace shows the calls up to the one that hangs', { skip: missing || (!canTrace && 'strace may not trace here') }, async () => {
  const { code, out, err, left } = await runOnMute('trace');
  assert.match(out, /\nthe client connects\n.* server +… accept/s);
  assert.match(out, /\nthe client sends "hello\\n" and receives its echo: this far and no further\n/);
  assert.match(out, /child 1 +clock_nanosleep\(.*\(asleep\)\n/); // the call in which the program sleeps
  assert.doesNotMatch(out, /one echo/);
  assert.equal(err, 'trace: waited 2 s for the echo of "hello\\n" (the client), and it did not come\n');
  assert.equal(code, 1);
  assert.deepEqual(left, []);
});

test('capture shows the packets up to those that do not come', { skip: missing || (!canCapture && 'tcpdump may not capture here') }, async () => {
  const { code, out, err, left } = await runOnMute('capture');
  assert.match(out, /this far and no further\n.*client → server +PSH\+ACK .* 6 bytes "hello\\n"/);
  assert.equal(err, 'capture: waited 2 s for the echo of "hello\\n" (the client), and it did not come\n');
  assert.equal(code, 1);
  assert.deepEqual(left, []);
});
