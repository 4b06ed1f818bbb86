// What is read from /proc, on literal texts, and the pictures made of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStat } from '../proc.mjs';
import { drawBranches, drawPicture } from '../picture.mjs';
import { cutLine, fitLines } from '../screen.mjs';
import { describeEndpoint, parseSocketTable } from '../socket-table.mjs';
import { describeBlockedCall } from '../syscalls.mjs';

const table4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2695 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 31337 1 0000000000000000 100 0 0 10 0
   1: 0100007F:2695 0100007F:C43A 01 00000003:00000006 00:00000000 00000000     0        0 4711 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:C43A 0100007F:2695 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000
`;

const table6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:2695 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:2695 B80D0120000000000000000001000000:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0000000000000000 20 4 30 10 -1
`;

test('listener, connection and TIME_WAIT in /proc/net/tcp', () => {
  const [listener, connection, ended] = parseSocketTable(table4);
  assert.deepEqual(listener, { local: { address: '127.0.0.1', port: 9877 }, peer: { address: '0.0.0.0', port: 0 }, state: 'LISTEN', sendQueue: 0, receiveQueue: 2, inode: 31337 });
  assert.deepEqual([connection.state, connection.sendQueue, connection.receiveQueue, connection.peer.port], ['ESTABLISHED', 3, 6, 50234]);
  assert.deepEqual([ended.state, ended.inode], ['TIME_WAIT', 0]);
});

test('addresses in /proc/net/tcp6', () => {
  const [listener, connection] = parseSocketTable(table6);
  assert.equal(describeEndpoint(listener.local), '[::1]:9877');
  assert.equal(describeEndpoint(listener.peer), '[::]:0');
  assert.equal(describeEndpoint(connection.local), '127.0.0.1:9877');
  assert.equal(describeEndpoint(connection.peer), '[2001:db8::1]:80');
});

test('no table is an empty one', () => {
  assert.deepEqual(parseSocketTable(''), []);
});

test('a name with blanks and parentheses does not confuse /proc/PID/stat', () => {
  const stat = parseStat(`42 (a) b (c) S 7 40 40 0 -1 0 0 0 0 0 12 30 0 0 20 0 1 0 98765 ${'0 '.repeat(30)}`);
  assert.deepEqual(stat, { pid: 42, name: 'a) b (c', state: 'S', parent: 7, group: 40, ticks: 42, startTime: 98765 });
});

test('the call in which a thread is blocked', () => {
  assert.equal(describeBlockedCall('43 0x3 0x0 0x0 0x0 0x0 0x0 0x7ffc 0x7f00\n', 'x64'), 'accept(3)');
  assert.equal(describeBlockedCall('202 0x3 0x0 0x0 0x0 0x0 0x0 0x7ffc 0x7f00\n', 'arm64'), 'accept(3)');
  assert.equal(describeBlockedCall('202 0x7f0012345678 0x0 0x0 0x0 0x0 0x0 0x7ffc 0x7f00\n', 'x64'), 'futex');
  assert.equal(describeBlockedCall('999 0x0\n', 'x64'), 'system call 999');
  assert.equal(describeBlockedCall('running\n', 'x64'), '');
  assert.equal(describeBlockedCall('', 'x64'), '');
});

test('the branches of a tree', () => {
  assert.deepEqual(drawBranches([0, 1, 2, 2, 1, 2]), ['', '├─ ', '│  ├─ ', '│  └─ ', '└─ ', '   └─ ']);
});

const task = (role, depth) => ({ role, pid: 1, depth, state: 'asleep', blockedIn: '', cpuSeconds: 0, cpuShare: null });
const standard = (first, others) => [{ number: 0, what: first }, { number: 1, what: others }, { number: 2, what: others }];
const seen = {
  tasks: [task('server', 0), task('child 1', 1), task('child 2', 1)],
  sockets: [{ whose: 'server', state: 'LISTEN', local: 'here:1', peer: '', toRead: null, toSend: null, waiting: 0 }],
  descriptors: [
    { role: 'server', list: [...standard('/dev/null', 'pipe'), { number: 3, what: 'listener here:1' }] },
    { role: 'child 1', list: [...standard('/dev/null', 'pipe'), { number: 4, what: 'connection from there:2' }] },
    { role: 'child 2', list: [{ number: 0, what: 'connection from there:3' }, { number: 1, what: 'connection from there:3' }] },
  ],
};
const plain = (_, text) => text;

test('sockets come before descriptors; stdin, stdout and stderr share a line', () => {
  const lines = drawPicture(seen, plain, { heading: ['the heading'] });
  assert.deepEqual(lines.slice(0, 2), ['the heading', '']);
  assert.ok(lines.findIndex((line) => line.startsWith('sockets')) < lines.indexOf('descriptors'));
  assert.deepEqual(lines.slice(lines.indexOf('descriptors') + 1), [
    'server   0-2  stdin: /dev/null; stdout, stderr: pipe',
    '           3  listener here:1',
    'child 1  0-2  stdin: /dev/null; stdout, stderr: pipe',
    '           4  connection from there:2',
    'child 2  0-1  stdin, stdout: connection from there:3',
  ]);
});

test('where rows are short, what a child has inherited as stdin, stdout and stderr is left out', () => {
  const all = drawPicture(seen, plain);
  assert.deepEqual(drawPicture(seen, plain, { rows: all.length }), all);
  const short = drawPicture(seen, plain, { rows: all.length - 1 });
  assert.deepEqual(short.slice(short.indexOf('descriptors') + 1), [
    'server   0-2  stdin: /dev/null; stdout, stderr: pipe',
    '           3  listener here:1',
    'child 1    4  connection from there:2',
    'child 2  0-1  stdin, stdout: connection from there:3',
  ]);
});

test('the last line of a screen stays, whatever else is cut off', () => {
  assert.deepEqual(fitLines(['a', 'b'], ['keys'], 3), ['a', 'b', 'keys']);
  assert.deepEqual(fitLines(['a', 'b', 'c'], ['keys'], 3), ['a', '… 2 more lines', 'keys']);
  assert.deepEqual(fitLines(['a', 'b', 'c'], ['stderr', 'keys'], 1), ['keys']);
});

test('a line is cut by what is seen of it', () => {
  assert.equal(cutLine('\x1b[36mabcdef\x1b[m', 3), '\x1b[36mabc\x1b[m');
});
