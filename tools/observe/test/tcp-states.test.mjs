// The state machine, on packets as pcap.mjs gives them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TcpConnection } from '../tcp-states.mjs';

const [client, server] = [50234, 9877];
const [clientFirst, serverFirst] = [0xffff_fffe, 1000]; // The client's numbers wrap around.

/** A packet by its sender, flags such as 'SA', relative numbers and data. */
function packet(from, letters, seq, ack, data = '') {
  const names = { S: 'syn', A: 'ack', P: 'psh', F: 'fin', R: 'rst' };
  const [own, others] = from === 'client' ? [clientFirst, serverFirst] : [serverFirst, clientFirst];
  return {
    sourcePort: from === 'client' ? client : server,
    destinationPort: from === 'client' ? server : client,
    flags: new Set([...letters].map((letter) => names[letter])),
    seq: (own + seq) >>> 0,
    ack: (others + (ack ?? 0)) >>> 0,
    payload: Buffer.from(data),
  };
}

const handshake = [packet('client', 'S', 0), packet('server', 'SA', 0, 1), packet('client', 'A', 1, 1)];
const echo = [packet('client', 'PA', 1, 1, 'hello\n'), packet('server', 'A', 1, 7), packet('server', 'PA', 1, 7, 'hello\n'), packet('client', 'A', 7, 7)];

function observeAll(packets) {
  const connection = new TcpConnection(server);
  return { connection, seen: packets.map((it) => connection.observe(it)) };
}

const statesOf = (seen) => seen.map(({ states }) => `${states.client} ${states.server}`);

test('the handshake', () => {
  const { seen } = observeAll(handshake);
  assert.deepEqual(statesOf(seen), ['SYN_SENT SYN_RECEIVED', 'ESTABLISHED SYN_RECEIVED', 'ESTABLISHED ESTABLISHED']);
  assert.deepEqual(seen.map(({ kind }) => kind), ['handshake', 'handshake', 'handshake']);
});

test('the ports are those of the first packet', () => {
  assert.deepEqual(observeAll([]).connection.ports, { client: null, server });
  assert.deepEqual(observeAll(handshake).connection.ports, { client, server });
});

test('numbers count from the SYN, also where they wrap around', () => {
  const { seen } = observeAll([...handshake, ...echo]);
  assert.deepEqual(seen.map(({ seq, ack }) => [seq, ack]), [[0, null], [0, 1], [1, 1], [1, 1], [1, 7], [1, 7], [7, 7]]);
  assert.deepEqual(seen.slice(3).map(({ kind }) => kind), ['data', 'ack', 'data', 'ack']);
});

test('the client closes first; ACK and FIN of the server in one packet', () => {
  const { seen } = observeAll([...handshake, packet('client', 'FA', 1, 1), packet('server', 'FA', 1, 2), packet('client', 'A', 2, 2)]);
  assert.deepEqual(statesOf(seen.slice(3)), ['FIN_WAIT_1 CLOSE_WAIT', 'TIME_WAIT LAST_ACK', 'TIME_WAIT CLOSED']);
  assert.deepEqual(seen.slice(3).map(({ kind }) => kind), ['close', 'close', 'close']);
});

test('the client closes first; ACK and FIN of the server in two packets', () => {
  const { seen } = observeAll([...handshake, packet('client', 'FA', 1, 1), packet('server', 'A', 1, 2), packet('server', 'FA', 1, 2), packet('client', 'A', 2, 2)]);
  assert.deepEqual(statesOf(seen.slice(3)), ['FIN_WAIT_1 CLOSE_WAIT', 'FIN_WAIT_2 CLOSE_WAIT', 'TIME_WAIT LAST_ACK', 'TIME_WAIT CLOSED']);
  assert.equal(seen[4].kind, 'ack');
});

test('the server closes first', () => {
  const { connection } = observeAll([...handshake, packet('server', 'FA', 1, 1), packet('client', 'FA', 1, 2), packet('server', 'A', 2, 2)]);
  assert.deepEqual(connection.states, { client: 'CLOSED', server: 'TIME_WAIT' });
});

test('both close at once', () => {
  // On a real network the FINs cross; both sides are in CLOSING until they have the other's ACK.
  const { seen } = observeAll([...handshake, packet('client', 'FA', 1, 1), packet('server', 'FA', 1, 1), packet('client', 'A', 2, 2), packet('server', 'A', 2, 2)]);
  assert.equal(seen[4].states.client, 'CLOSING');
  assert.equal(seen.at(-1).states.client, 'TIME_WAIT');
});

test('a reset closes both sides at once', () => {
  const { connection, seen } = observeAll([...handshake, ...echo, packet('client', 'RA', 7, 7)]);
  assert.deepEqual(connection.states, { client: 'CLOSED', server: 'CLOSED' });
  assert.equal(seen.at(-1).kind, 'reset');
  assert.equal(connection.hasCome({ bytes: 6, ended: true }), true);
});

test('a refused connection', () => {
  const { connection } = observeAll([packet('client', 'S', 0), packet('server', 'RA', 0, 1)]);
  assert.deepEqual(connection.states, { client: 'CLOSED', server: 'CLOSED' });
});

test('a repetition is known as one', () => {
  const { seen } = observeAll([...handshake, echo[0], echo[0]]);
  assert.deepEqual(seen.slice(3).map(({ kind }) => kind), ['data', 'again']);
});

test('all has come when everything is acknowledged, and not before', () => {
  const connection = new TcpConnection(server);
  const progress = [...handshake, ...echo].map((it) => {
    connection.observe(it);
    return [connection.hasCome({ bytes: 0 }), connection.hasCome({ bytes: 6 })];
  });
  assert.deepEqual(progress.map(([connected]) => connected), [false, false, true, false, false, false, false]);
  assert.deepEqual(progress.map(([, echoed]) => echoed), [false, false, false, false, false, false, true]);
});
