// What the kernel says of both ends, in words.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countStates, describeEnd, describeTasks, describeTimeWait, findEnds } from '../client/sides.mjs';

const socket = (local, peer, state, receiveQueue = 0, sendQueue = 0) => ({ local: { port: local }, peer: { port: peer }, state, receiveQueue, sendQueue });

test('both ends are found by both ports', () => {
  const table = [socket(9877, 0, 'LISTEN'), socket(5000, 9877, 'ESTABLISHED', 1), socket(5001, 9877, 'FIN_WAIT2'), socket(9877, 5001, 'CLOSE_WAIT', 7)];
  assert.deepEqual(findEnds(5001, 9877, table), { client: { state: 'FIN_WAIT2', toRead: 0, toSend: 0 }, server: { state: 'CLOSE_WAIT', toRead: 7, toSend: 0 } });
  assert.deepEqual(findEnds(5002, 9877, table), { client: null, server: null });
});

test('a SYN or FIN that counts as a byte is named', () => {
  assert.equal(describeEnd({ state: 'ESTABLISHED', toRead: 1, toSend: 0 }), 'ESTABLISHED, 1 to read, 0 to send');
  assert.equal(describeEnd({ state: 'CLOSE_WAIT', toRead: 1, toSend: 0 }), 'CLOSE_WAIT, 1 to read (the end of file), 0 to send');
  assert.equal(describeEnd({ state: 'CLOSE_WAIT', toRead: 7, toSend: 0 }), 'CLOSE_WAIT, 7 to read (the end of file counts as 1), 0 to send');
  assert.equal(describeEnd({ state: 'FIN_WAIT1', toRead: 0, toSend: 1 }), 'FIN_WAIT1, 0 to read, 1 to send (the FIN)');
  assert.equal(describeEnd({ state: 'SYN_SENT', toRead: 0, toSend: 1 }), 'SYN_SENT, 0 to read, 1 to send (the SYN)');
  assert.equal(describeEnd({ state: 'TIME_WAIT', toRead: 0, toSend: 0 }), 'TIME_WAIT');
  assert.match(describeEnd(null), /^CLOSED/);
});

test('who is in TIME_WAIT', () => {
  const waits = { state: 'TIME_WAIT' };
  assert.equal(describeTimeWait({ client: waits, server: null }), 'in TIME_WAIT: the client, who sent the first FIN');
  assert.equal(describeTimeWait({ client: null, server: waits }), 'in TIME_WAIT: the server, who sent the first FIN');
  assert.equal(describeTimeWait({ client: null, server: null }), 'no side is in TIME_WAIT');
});

const task = (role, blockedIn, state = 'asleep') => ({ role, state, blockedIn });

test('tasks that do the same share a clause; very many are counted', () => {
  assert.equal(describeTasks([task('server', 'accept(3)'), task('child 1', 'read(4)'), task('child 2', 'read(4)')]),
    'server: asleep in accept(3); child 1 … child 2: asleep in read(4)');
  const threads = Array.from({ length: 6 }, (_, index) => task(`thread ${index + 1}`, `read(${index + 4})`));
  assert.equal(describeTasks([task('server', 'accept(3)'), ...threads]), 'server: asleep in accept; thread 1 … thread 6: asleep in read');
  const odd = [1, 3, 5, 7].map((number) => task(`child ${number}`, '', 'zombie'));
  assert.equal(describeTasks([task('server', '', 'running'), ...odd]), 'server: running; 4 children: zombie');
});

test('states are counted, the most frequent first', () => {
  assert.equal(countStates([socket(1, 2, 'SYN_SENT'), socket(1, 3, 'ESTABLISHED'), socket(1, 4, 'ESTABLISHED')]), '2 ESTABLISHED, 1 SYN_SENT');
  assert.equal(countStates([]), 'none');
});
