import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandOf, cutToLimits, describeLoad, loadIds, makePlan, quick, thorough } from '../lib/plan.mjs';

const servers = ['01-iterative', '03-fork', '09-select', '12-epoll', '20-per-core', 'peer-libuv'];
const plan = (changes) => makePlan({ servers, loads: cutToLimits(100_000).loads, knobs: [], effort: thorough, only: [], ...changes });
const idsOf = ({ jobs }) => jobs.map(({ id }) => id);

test('a limit on descriptors cuts the greatest load, and says so', () => {
  const { loads, cuts } = cutToLimits(20_000);
  assert.equal(loads.find(({ id }) => id === '64B-many').connections, 6633);
  assert.match(cuts.join(), /64B-many: 6,633 connections instead of 10,000.*20,000 here/);
  assert.deepEqual(cutToLimits(100_000).cuts, []);
});

test('a load is described by what the clients do', () => {
  assert.equal(describeLoad({ connections: 1, message_bytes: 64, rate: 5000 }), '64 B, 1 connection, 5,000 a second');
  assert.equal(describeLoad({ connections: 1000, message_bytes: 65536, rate: 0 }), '64 KiB, 1,000 connections');
  assert.match(describeLoad({ connections: 8, message_bytes: 64, reconnects: true }), /^visits .*8 at a time$/);
});

test('every server is compared under every load that it can bear, and the baseline is not compared with itself', () => {
  const ids = idsOf(plan());
  for (const load of loadIds) {
    assert.ok(ids.includes(`20-per-core.${load}`));
    assert.ok(!ids.includes(`12-epoll.${load}`));
  }
  assert.ok(ids.includes('01-iterative.64B-1'));
  assert.ok(ids.includes('01-iterative.visits-8'));
  assert.ok(!ids.includes('01-iterative.64B-50'));
  assert.ok(ids.includes('09-select.64B-1000'));
  assert.ok(!ids.includes('09-select.64B-many'));
});

test('what is left out has a reason', () => {
  const { leftOut } = plan();
  assert.ok(leftOut.some(({ server, load, why }) => server === '09-select' && load === '64B-many' && /1,024/.test(why)));
  assert.ok(leftOut.some(({ server, load }) => server === '01-iterative' && load === 'idle'));
});

test('no two measurements share a file', () => {
  const ids = idsOf(plan());
  assert.equal(new Set(ids).size, ids.length);
});

test('only what was asked for is measured', () => {
  assert.deepEqual(idsOf(plan({ only: ['64K-50'], servers: ['12-epoll', '03-fork'] })), ['03-fork.64K-50']);
  assert.deepEqual(idsOf(plan({ only: ['coroutine'] })), ['coroutine']);
  assert.deepEqual(idsOf(plan({ only: ['counted'], servers: ['12-epoll'] })), ['12-epoll.count-1', '12-epoll.count-50', '12-epoll.count-1000']);
  assert.deepEqual(idsOf(plan({ only: ['memory'], servers: ['12-epoll'] })), ['12-epoll.memory-1000', '12-epoll.memory-10000']);
  assert.deepEqual(idsOf(plan({ only: ['idle'], servers: ['12-epoll', '01-iterative'] })), ['12-epoll.idle']);
});

test('a knob is measured on as many processors and under as many loads as it names', () => {
  const { loads } = cutToLimits(100_000);
  const knob = { name: 'sqpoll', chapter: '16-io-uring', title: 'SQPOLL', processors: ['one', 'two'], loads: loads.slice(0, 2) };
  assert.equal(plan({ only: ['knobs'], knobs: [knob] }).jobs.length, 4);
});

test('a quick look takes less than three minutes', () => {
  const all = ['01-iterative', '02-robust', '03-fork', '04-exec', '05-prefork', '06-threads', '07-thread-pool', '08-nonblocking', '09-select', '10-poll',
    '11-signal-driven', '12-epoll', '13-epoll-edge', '14-reactor', '15-coroutines', '16-io-uring', '17-deadlines', '18-drain', '19-multishot', '20-per-core',
    'peer-asio', 'peer-asio-uring', 'peer-libuv', 'peer-libevent', 'peer-go', 'peer-socat'];
  const { jobs } = plan({ servers: all, effort: quick, only: ['64B-50', 'counted'] });
  assert.ok(jobs.reduce((sum, { seconds }) => sum + seconds, 0) < 180);
});

test('servers with workers have one for each client, and 20 has one', () => {
  assert.equal(commandOf('bin', '05-prefork', 50), 'bin/05-prefork --workers 50');
  assert.equal(commandOf('bin', '07-thread-pool', 8), 'bin/07-thread-pool --workers 8');
  assert.equal(commandOf('bin', '20-per-core', 50), 'bin/20-per-core --workers 1');
  assert.equal(commandOf('bin', '12-epoll', 50), 'bin/12-epoll');
});
