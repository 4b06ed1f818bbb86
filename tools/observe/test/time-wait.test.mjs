// Who is in TIME_WAIT, among the sockets of a whole machine.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findSides, parseSs } from '../time-wait.mjs';

const ports = { client: 50234, server: 9877 };

test('what ss prints', () => {
  const text = '0      0         127.0.0.1:50234    127.0.0.1:9877 \n0 0 [::ffff:127.0.0.1]:9877 [::ffff:127.0.0.1]:40000\n';
  assert.deepEqual(parseSs(text), [{ local: 50234, peer: 9877 }, { local: 9877, peer: 40000 }]);
  assert.deepEqual(parseSs(''), []);
});

test('a side is known by both ports', () => {
  assert.equal(findSides([{ local: 50234, peer: 9877 }], ports), 'client');
  assert.equal(findSides([{ local: 9877, peer: 50234 }], ports), 'server');
  assert.equal(findSides([{ local: 9877, peer: 50234 }, { local: 50234, peer: 9877 }], ports), 'client and server');
});

test('other connections do not count, even if they share a port', () => {
  const others = [{ local: 40000, peer: 9877 }, { local: 9877, peer: 40000 }, { local: 50234, peer: 80 }, { local: 80, peer: 50234 }];
  assert.equal(findSides(others, ports), 'nobody');
  assert.equal(findSides([...others, { local: 50234, peer: 9877 }], ports), 'client');
});
