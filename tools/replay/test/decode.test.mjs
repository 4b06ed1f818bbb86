// System calls as text, from numbers and memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeArguments, decodeResult } from '../lib/decode.mjs';
import { parseSockets } from '../lib/ss.mjs';

/** Memory with some bytes at some addresses. */
class FakeMemory {
  constructor(pieces = {}) {
    this.pieces = new Map(Object.entries(pieces).map(([address, bytes]) => [BigInt(address), Buffer.from(bytes)]));
  }

  async bytes(address, length) {
    for (const [start, bytes] of this.pieces) {
      const offset = Number(address - start);
      if (offset >= 0 && offset < bytes.length) return bytes.subarray(offset, offset + length);
    }
    return Buffer.alloc(0);
  }

  async uint32(address) {
    return (await this.bytes(address, 4)).readUInt32LE(0);
  }

  async text(address) {
    const bytes = await this.bytes(address, 255);
    return bytes.subarray(0, bytes.indexOf(0)).toString();
  }
}

/** The line of a call; `pieces` are the memory when it begins, `after` what it has written over. */
const ofCall = async (name, numbers, result, pieces, after = {}) => {
  let memory = new FakeMemory(pieces);
  const list = [...numbers, 0, 0, 0, 0, 0, 0].slice(0, 6).map(BigInt);
  const notes = new Map();
  await decodeArguments(name, list, null, memory, notes);
  memory = new FakeMemory({ ...pieces, ...after });
  const args = await decodeArguments(name, list, result === null ? null : BigInt(result), memory, notes);
  return result === null ? `${name}(${args})` : `${name}(${args}) = ${await decodeResult(name, list, BigInt(result), memory)}`;
};
const int32 = (...numbers) => {
  const bytes = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, at) => bytes.writeInt32LE(number, at * 4));
  return bytes;
};

test('data is shown as it came, as much as the call says', async () => {
  assert.equal(await ofCall('read', [4, 4096, 65536], 6, { 4096: 'hello\nxxxx' }), 'read(4, "hello\\n", 65536) = 6');
  assert.equal(await ofCall('read', [4, 4096, 65536], 0, { 4096: 'hello' }), 'read(4, "", 65536) = 0');
  assert.equal(await ofCall('sendto', [4, 4096, 3, 0x4000], 2, { 4096: 'a"\x01' }), 'sendto(4, "a\\"\\1", 3, MSG_NOSIGNAL, NULL, 0) = 2');
  assert.match(await ofCall('read', [4, 4096, 200], 100, { 4096: 'x'.repeat(100) }), /"x{80}"\.\.\., 200\) = 100$/);
});

test('an error has its name and its reason', async () => {
  assert.equal(await ofCall('read', [4, 4096, 8], -11), 'read(4, 0x1000, 8) = -1 EAGAIN (Resource temporarily unavailable)');
  assert.equal(await ofCall('wait4', [0xffffffffn, 0, 1], -10), 'wait4(-1, NULL, WNOHANG, NULL) = -1 ECHILD (No child processes)');
  assert.equal(await ofCall('accept', [3, 0, 0], -512), 'accept(3, NULL, NULL) = ? ERESTARTSYS');
});

test('an address comes out, with the length that went in', async () => {
  const address = Buffer.concat([Buffer.from([2, 0, 0x26, 0x95, 127, 0, 0, 1]), Buffer.alloc(8)]);
  assert.equal(await ofCall('accept4', [3, 4096, 8192, 0o2004000], 5, { 4096: address, 8192: int32(16) }),
    'accept4(3, {sa_family=AF_INET, sin_port=htons(9877), sin_addr=inet_addr("127.0.0.1")}, [16], SOCK_CLOEXEC|SOCK_NONBLOCK) = 5');
  assert.match(await ofCall('accept', [3, 4096, 8192], 5, { 4096: address, 8192: int32(128) }, { 8192: int32(16) }), /, \[128 => 16\]\) = 5$/);
});

test('lists of descriptors are read from memory', async () => {
  const polled = Buffer.concat([int32(3), Buffer.from([1, 0, 1, 0]), int32(4), Buffer.from([4, 0, 0, 0])]);
  assert.equal(await ofCall('poll', [4096, 2, 0xffffffffn], 1, { 4096: polled }),
    'poll([{fd=3, events=POLLIN}, {fd=4, events=POLLOUT}], 2, -1) = 1 ([{fd=3, revents=POLLIN}])');
  assert.equal(await ofCall('pselect6', [5, 4096, 0, 0, 0, 0], 1, { 4096: Buffer.from([0b11000, 0, 0, 0, 0, 0, 0, 0]) }),
    'pselect6(5, [3 4], NULL, NULL, NULL, NULL) = 1 (in [3 4])');
  const set = (byte) => Buffer.from([byte, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(await ofCall('pselect6', [5, 4096, 0, 0, 0, 0], 1, { 4096: set(0b11000) }, { 4096: set(0b10000) }), 'pselect6(5, [3 4], NULL, NULL, NULL, NULL) = 1 (in [4])');
});

test('flags have their names, and what is unknown stays a number', async () => {
  assert.equal(await ofCall('socket', [2, 0o2000001, 6], 3), 'socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3');
  assert.equal(await ofCall('fcntl', [3, 3], 0x802), 'fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)');
  assert.equal(await ofCall('fcntl', [3, 4, 0x802], 0), 'fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0');
  assert.equal(await ofCall('epoll_create1', [0o2000000 | 1], 4), 'epoll_create1(EPOLL_CLOEXEC|0x1) = 4');
});

test('what ss says is read: listeners, queues, and sockets without an owner', () => {
  const text = `LISTEN     1      4096       127.0.0.1:9877       0.0.0.0:*     ino:4711 sk:1 cgroup:/ <->
ESTAB      6      0          127.0.0.1:9877     127.0.0.1:50000 ino:4712 sk:2 cgroup:/ <->
TIME-WAIT  0      0              [::1]:50001        [::1]:9877  timer:(timewait,59sec,0) ino:0 sk:3\n`;
  assert.deepEqual(parseSockets(text), [
    { local: { port: 9877 }, peer: { port: 0 }, state: 'LISTEN', receiveQueue: 1, sendQueue: 0, inode: 4711 },
    { local: { port: 9877 }, peer: { port: 50000 }, state: 'ESTABLISHED', receiveQueue: 6, sendQueue: 0, inode: 4712 },
    { local: { port: 50001 }, peer: { port: 9877 }, state: 'TIME_WAIT', receiveQueue: 0, sendQueue: 0, inode: 0 },
  ]);
});
