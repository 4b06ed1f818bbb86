import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalise } from '../lib/normalise.mjs';

function assertSame(one, other) {
  assert.equal(normalise(one), normalise(other));
}

function assertDifferent(one, other) {
  assert.notEqual(normalise(one), normalise(other));
}

test('process ids are replaced, and stay apart', () => {
  assert.equal(normalise('[pid   421] fork() = 422\n[pid 422] getpid() = 422'), '[pid PID1] fork() = PID2\n[pid PID2] getpid() = PID2');
  assertSame('421 read(4, "hi", 512) = 2\n421 +++ exited with 0 +++', '9 read(4, "hi", 512) = 2\n9 +++ exited with 0 +++');
  assertSame('12 12:00:01.5 <... clone resumed>) = 13', '98 23:59:59.123456 <... clone resumed>) = 99');
  assertSame('wait4(77, NULL, 0, NULL) = 77\nsi_pid=77', 'wait4(8, NULL, 0, NULL) = 8\nsi_pid=8');
  assertSame('  10   1 Ss+ server\n 11 10 Z    server', '20 1 Ss+ server\n21 20 Z server');
  assertDifferent('[pid 1] close(4)\n[pid 2] close(4)', '[pid 1] close(4)\n[pid 1] close(4)');
});

test('what is no process id stays', () => {
  assertDifferent('read(4, "hi", 512) = 2', 'read(4, "hi", 512) = 3');
  assertDifferent('[pid 10] close(4) = 0', '[pid 10] close(5) = 0');
  assert.equal(normalise('fork() = 0'), 'fork() = 0');
  assert.equal(normalise('100 clients, 100 forks'), '100 clients, 100 forks');
});

test('ephemeral ports are replaced, the own port stays', () => {
  assert.equal(normalise('127.0.0.1:40000 -> 127.0.0.1:9877\n127.0.0.1:40001 127.0.0.1:40000'), '127.0.0.1:PORT1 -> 127.0.0.1:9877\n127.0.0.1:PORT2 127.0.0.1:PORT1');
  assert.equal(normalise('IP 127.0.0.1.40000 > 127.0.0.1.9877: Flags'), 'IP 127.0.0.1.PORT1 > 127.0.0.1.9877: Flags');
  assert.equal(normalise('sin_port=htons(40000), sin_port=htons(0)'), 'sin_port=htons(PORT1), sin_port=htons(0)');
  assert.equal(normalise('[::1]:40000 IP6 ::1.40000'), '[::1]:PORT1 IP6 ::1.PORT1');
  assertDifferent('127.0.0.1:40000 127.0.0.1:40001', '127.0.0.1:40000 127.0.0.1:40000');
});

test('times are replaced', () => {
  assert.equal(normalise('12:34:56.789 0.000123 read() = 0 <0.000012>'), 'TIME SECONDS read() = 0 <SECONDS>');
});

test('packets differ only in what they carry and where', () => {
  const packet = (seq, win, stamp) =>
    `Flags [S.], seq ${seq}, ack ${seq + 5}, win ${win}, options [mss 65495,sackOK,TS val ${stamp} ecr 0,nop,wscale 7], length 0`;
  assertSame(packet(123, 65483, 9), packet(3000000000, 65160, 77));
  assertDifferent('Flags [P.], seq 1:3, ack 1, win 512, length 2', 'Flags [P.], seq 1:4, ack 1, win 512, length 3');
  assertSame('Flags [.], ack 2345678901, win 1', 'Flags [.], ack 3345678901, win 2');
});

test('pointers are replaced, flags stay', () => {
  assertSame('data={u32=1234567, u64=94023423423}, 0x7ffd1234', 'data={u32=7654321, u64=94023400000}, 0x7ffe9876');
  assertDifferent('revents=0x1', 'revents=0x2');
  assertDifferent('{u32=5, u64=5}', '{u32=6, u64=6}');
});

test('widths of columns, blanks at the end and line ends do not count', () => {
  assertSame('read(4)         = 2  \r\nclose(4) = 0\n\n', 'read(4) = 2\nclose(4) = 0');
});
