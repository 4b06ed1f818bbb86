// What the clients of ./learn fleet count, and what is made of it. The servers here are made up, and each does one thing wrong.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { varyConfiguration } from '../balancer.mjs';
import { addTallies, habits } from '../load.mjs';
import { addresses, machines, port } from '../network.mjs';
import { findFaults, scenarios } from '../scenarios.mjs';
import { alignColumns, tabulate, tabulateOpen } from '../table.mjs';

const load = fileURLToPath(new URL('../load.mjs', import.meta.url));
const configuration = readFileSync(new URL('../haproxy.cfg', import.meta.url), 'utf8');

// What the clients have seen when `isEnough()` holds, with a server that does `serve(client)` to each.
async function count({ visitors = 0, residents = 0, readers = 0 }, serve) {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => {});
    served++;
    serve(client);
    if (served >= 3) enough();
  });
  let served = 0;
  let enough;
  const isEnough = new Promise((resolve) => { enough = resolve; });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const clients = spawn(process.execPath, [load, '127.0.0.1', String(server.address().port), ...[visitors, residents, readers, 30].map(String)]);
  let output = '';
  clients.stdout.setEncoding('utf8').on('data', (text) => { output += text; });
  await isEnough;
  clients.stdin.end();
  const [code] = await once(clients, 'close');
  server.close();
  assert.equal(code, 0);
  return JSON.parse(output.trim().split('\n').at(-1));
}

function echo(client) {
  client.on('data', (bytes) => client.write(bytes)).on('end', () => client.end());
}

test('an echo is an echo', async () => {
  const { visitors, residents } = await count({ visitors: 2, residents: 1 }, echo);
  for (const tally of [visitors, residents]) {
    const { connections, messages, bytes_sent, longest_wait_ms, ...others } = tally;
    assert.ok(connections > 0 && messages > 0 && longest_wait_ms < habits.patience_ms);
    assert.equal(bytes_sent, messages * habits.message_bytes);
    assert.deepEqual([...new Set(Object.values(others))], [0], 'nothing else has happened');
  }
});

test('a byte that is wrong is counted', async () => {
  const { visitors } = await count({ visitors: 3 }, (client) => {
    client.on('data', (bytes) => { bytes[3] ^= 1; client.write(bytes); }).on('end', () => client.end());
  });
  assert.equal(visitors.bytes_wrong, visitors.messages);
  assert.equal(visitors.bytes_not_echoed, 0);
});

test('an end of file where an echo is owed is a connection cut off, and what has not come is counted', async () => {
  const { visitors } = await count({ visitors: 3 }, (client) => {
    client.once('data', (bytes) => { client.end(bytes.subarray(0, 100)); client.resume(); });
  });
  assert.ok(visitors.cut_off >= 3);
  assert.equal(visitors.bytes_not_echoed, visitors.cut_off * (habits.message_bytes - 100));
});

test('an end of file between two messages loses nothing', async () => {
  const { residents } = await count({ residents: 1 }, (client) => {
    client.once('data', (bytes) => { client.end(bytes); client.resume(); });
  });
  assert.ok(residents.ended >= 2);
  assert.equal(residents.cut_off + residents.bytes_not_echoed, 0);
});

test('a reset is counted as one', async () => {
  const { visitors } = await count({ visitors: 3 }, (client) => client.once('data', () => client.resetAndDestroy()));
  assert.ok(visitors.reset >= 3);
  assert.equal(visitors.bytes_not_echoed, visitors.reset * habits.message_bytes);
});

test('a port on which nobody listens refuses', async () => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const free = server.address().port;
  await new Promise((resolve) => { server.close(resolve); });
  const clients = spawn(process.execPath, [load, '127.0.0.1', String(free), '1', '0', '0', '30']);
  let output = '';
  clients.stdout.on('data', (text) => { output += text; });
  await once(clients.stdout, 'data'); // "ready": without residents it is at once
  clients.stdin.end();
  await once(clients, 'close');
  const { visitors } = JSON.parse(output.trim().split('\n').at(-1));
  assert.ok(visitors.refused >= 1);
  assert.equal(visitors.connections, 0);
});

test('who is never answered has waited for as long as it is patient', async () => {
  const { visitors } = await count({ visitors: 3 }, (client) => client.resume());
  assert.deepEqual([visitors.timed_out, visitors.timed_out_half_closed], [3, 0]);
  assert.ok(visitors.longest_wait_ms >= habits.patience_ms - 5);
});

test('so has a client that has closed its sending side, which is counted beside', async () => {
  const { visitors } = await count({ visitors: 3 }, (client) => client.on('data', (bytes) => client.write(bytes)));
  assert.deepEqual([visitors.timed_out, visitors.timed_out_half_closed, visitors.bytes_not_echoed], [3, 3, 0]);
});

test('what a slow reader has not got is counted', async () => {
  const { readers } = await count({ readers: 1 }, (client) => { client.resume(); client.on('end', () => client.end('short')); });
  assert.ok(readers.cut_off >= 2);
  assert.equal(readers.messages, readers.cut_off);
  assert.equal(readers.bytes_not_echoed, readers.cut_off * (habits.reader_bytes - 'short'.length));
});

test('a slow reader is slow, and gets all', async () => {
  const { readers } = await count({ readers: 1 }, echo);
  assert.ok(readers.messages >= 2);
  assert.equal(readers.bytes_not_echoed + readers.bytes_wrong + readers.cut_off, 0);
});

test('tallies are added, and of the waits the longest is kept', () => {
  const [one, two] = [{ connections: 1, longest_wait_ms: 7 }, { connections: 2, longest_wait_ms: 5 }];
  const zeros = addTallies([]);
  const sum = addTallies([{ ...zeros, ...one }, { ...zeros, ...two }]);
  assert.deepEqual([sum.connections, sum.longest_wait_ms], [3, 7]);
});

// --- What is made of it -----------------------------------------------------------------------------

const clean = {
  ...addTallies([]), id: 'rolling', title: 'rolling upgrade', connections: 12345, not_echoed: { visitors: 0, residents: 0, readers: 0 }, open_at_the_end: { m1: 1, m2: 2, m3: 3 },
};

test('an upgrade must not be noticed', () => {
  assert.deepEqual(findFaults(clean), []);
  assert.match(findFaults({ ...clean, refused: 1 }).join(), /1 connections refused/);
  assert.match(findFaults({ ...clean, timed_out: 2 }).join(), /2 connections timed out/);
  assert.match(findFaults({ ...clean, not_echoed: { visitors: 256, residents: 0, readers: 0 } }).join(), /256 bytes were not echoed/);
  assert.match(findFaults({ ...clean, not_echoed: { visitors: 0, residents: 0, readers: 1 } }).join(), /1 bytes were not echoed/);
  assert.deepEqual(findFaults({ ...clean, not_echoed: { visitors: 0, residents: 256, readers: 0 } }), [], 'a resident may speak at that very moment');
  assert.match(findFaults({ ...clean, id: 'steady', not_echoed: { visitors: 0, residents: 256, readers: 0 } }).join(), /256 bytes/, 'but not where nothing ends');
});

test('a death may be noticed, a wrong byte never', () => {
  const death = { ...clean, id: 'vanished', timed_out: 3, cut_off: 4, not_echoed: { visitors: 1, residents: 1, readers: 1 } };
  assert.deepEqual(findFaults(death), []);
  assert.match(findFaults({ ...death, bytes_wrong: 1 }).join(), /1 wrong bytes/);
  assert.match(findFaults({ ...death, connections: 0 }).join(), /no connection/);
});

test('the tables have a row for each scenario', () => {
  const rows = tabulate([clean, { ...clean, noticed_ms: 2800 }, { ...clean, noticed_ms: null, longest_wait_ms: 999 }]);
  assert.equal(rows[1][1], '12,345');
  assert.deepEqual(rows.slice(1).map((row) => row.at(-1)), ['–', '2.8 s', 'never']);
  assert.equal(rows[3].at(-2), '999 ms');
  assert.ok(rows.every((row) => row.length === rows[0].length));
  assert.deepEqual(tabulateOpen([clean]), [['', 'm1', 'm2', 'm3'], ['rolling upgrade', '1', '2', '3']]);
  assert.deepEqual(alignColumns([['a', 'bb'], ['cc', '1']]), ['a   bb', 'cc   1']);
});

// --- The configuration ------------------------------------------------------------------------------

test('the configuration has the addresses of the network', () => {
  assert.ok(configuration.includes(`bind ${addresses.balancer}:${port}\n`));
  for (const machine of machines) assert.ok(configuration.includes(`server ${machine} ${addresses[machine]}:${port}\n`), machine);
});

test('each scenario changes what is there to be changed', () => {
  for (const { changes = [] } of scenarios) assert.equal(varyConfiguration(configuration, changes) === configuration, changes.length === 0);
  assert.throws(() => varyConfiguration(configuration, [['balance best', 'x']]), /has no 'balance best'/);
});
