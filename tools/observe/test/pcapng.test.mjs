// The file for Wireshark: written, and read again by tshark where it is installed.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { diff, renderComparison } from '../compare-packets.mjs';
import { commentPackets } from '../keep-packets.mjs';
import { writePcapng } from '../pcapng.mjs';
import { executableOf, runTool, skipWithout } from './support.mjs';

const noTshark = spawnSync('tshark', ['--version']).status !== 0 && 'tshark is not installed';
const missing = skipWithout('01-iterative', '02-robust', '03-fork');
const canCapture = spawnSync('tcpdump', ['-i', 'lo', '-c', '1', '-w', '/dev/null', 'less 1'], { timeout: 300 }).error?.code === 'ETIMEDOUT';
const noCapture = missing || (!canCapture && 'tcpdump may not capture here');

/** What tshark prints of these fields of a pcapng file, a list of fields for each packet. */
function readWithTshark(file, ...fields) {
  const folder = mkdtempSync(join(tmpdir(), 'learn-tshark-'));
  try {
    const path = join(folder, 'file'); // It reads a pipe, but not the socket that stdin would be here.
    writeFileSync(path, file);
    const { status, stdout, stderr } = spawnSync('tshark', ['-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout.replace(/\n$/, '').split('\n').map((line) => line.split('\t'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function inFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), 'learn-pcap-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const frame = (bytes, time = 1n) => ({ bytes: Buffer.from(bytes), time, length: bytes.length });
const about = { linkType: 1, application: 'test', interfaceName: 'lo', comment: 'a file' };

/** The blocks of a file as {type, body}; each must say its length twice, and be a multiple of four. */
function splitBlocks(file) {
  const blocks = [];
  for (let at = 0; at < file.length;) {
    const length = file.readUInt32LE(at + 4);
    assert.equal(length % 4, 0);
    assert.equal(file.readUInt32LE(at + length - 4), length);
    blocks.push({ type: file.readUInt32LE(at), body: file.subarray(at + 8, at + length - 4) });
    at += length;
  }
  return blocks;
}

test('every block says its length at both ends, however long its text and its bytes', () => {
  for (const count of [0, 1, 2, 3, 4, 5]) {
    const file = writePcapng([{ ...frame('x'.repeat(count)), comment: 'y'.repeat(count) }], about);
    assert.deepEqual(splitBlocks(file).map(({ type }) => type), [0x0a0d0d0a, 1, 6]);
  }
});

test('a packet keeps its time, its bytes and its length', () => {
  const time = 1_800_000_000_123_456_789n;
  const { body } = splitBlocks(writePcapng([{ ...frame('abc', time), length: 9 }], about)).at(-1);
  assert.equal((BigInt(body.readUInt32LE(4)) << 32n) + BigInt(body.readUInt32LE(8)), time);
  assert.deepEqual([body.readUInt32LE(12), body.readUInt32LE(16)], [3, 9]);
  assert.equal(body.subarray(20, 23).toString(), 'abc');
});

test('a comment that is too long is cut between two characters', () => {
  const { body } = splitBlocks(writePcapng([{ ...frame(''), comment: `x${'ä'.repeat(40_000)}` }], about)).at(-1);
  const length = body.readUInt16LE(22);
  assert.equal(length, 65535);
  assert.doesNotMatch(body.subarray(24, 24 + length).toString(), /\ufffd/);
});

test('tshark reads what was written', { skip: noTshark }, () => {
  const file = writePcapng([{ ...frame('x'.repeat(60), 1_800_000_000_000_000_001n), comment: 'grüße → "quoted"' }, frame('y'.repeat(61), 1_800_000_000_000_000_003n)], about);
  assert.deepEqual(readWithTshark(file, 'frame.len', 'frame.time_delta', 'frame.comment', 'frame.interface_name'),
    [['60', '0.000000000', 'grüße → "quoted"', 'lo'], ['61', '0.000000002', '', 'lo']]);
});

test("a step's title is at its first packet; that of a step without one is not lost", () => {
  const packet = (name) => ({ frame: { name } });
  const comments = (steps) => commentPackets(steps).map(({ name, comment }) => [name, comment]);
  assert.deepEqual(comments([
    { title: 'connects', packets: [packet(1), packet(2)] },
    { title: 'waits', packets: [] },
    { title: 'sends', packets: [packet(3)] },
    { title: 'closes', packets: [packet(4), packet(5)] },
    { title: 'ends', packets: [] },
  ]), [[1, 'connects'], [2, undefined], [3, 'sends; before that, without a packet: waits'], [4, 'closes'], [5, 'after this, without a packet: ends']]);
  assert.deepEqual(comments([{ title: 'sends', packets: [packet(1)] }, { title: 'ends', packets: [] }]), [[1, 'sends; after this, without a packet: ends']]);
  assert.deepEqual(comments([{ title: 'ends', packets: [] }]), []);
});

test('capture --pcap: the file has every packet, with the steps as comments, and is not written over', { skip: noCapture }, async () => {
  await inFolder(async (folder) => {
    const words = ['03-fork', executableOf('03-fork'), '--pcap', 'packets.pcapng'];
    const environment = { LEARN_FROM: folder };
    const first = await runTool('capture', words, { environment });
    const path = join(folder, 'packets.pcapng');
    assert.deepEqual([first.code, first.err, first.left], [0, '', []]);
    assert.ok(first.out.endsWith(`\nthe packets are in ${path}: wireshark ${path}, or tshark -r ${path}\n`), first.out);
    const file = readFileSync(path);
    assert.equal(splitBlocks(file).filter(({ type }) => type === 6).length, first.out.match(/^ ?\d+ {2}(?:client|server) → /gm).length);
    const again = await runTool('capture', words, { environment });
    assert.deepEqual([again.code, again.out], [1, '']);
    assert.match(again.err, /exists, and is not written over/);
    assert.deepEqual(readFileSync(path), file);
    if (noTshark) return;
    const comments = readWithTshark(file, 'frame.comment', 'tcp.flags.str').filter(([comment]) => comment !== '');
    assert.deepEqual(comments.map(([comment]) => comment), [
      'the client connects', 'the client sends "hello\\n" and receives its echo', 'the client closes its sending side',
      'after this, without a packet: the client receives the end of file and closes',
    ]);
    assert.match(comments[0][1], /S/);
    assert.match(comments[2][1], /F/);
  });
});

test('capture --pcap -: nothing but the packets goes to stdout', { skip: noCapture || noTshark }, async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'stdout');
    const stdout = openSync(path, 'w');
    const { code } = await runTool('capture', ['02-robust', executableOf('02-robust'), '--session', 'reset', '--pcap', '-'], { stdout });
    closeSync(stdout);
    assert.equal(code, 0);
    const packets = readWithTshark(readFileSync(path), 'tcp.flags.str', 'frame.comment');
    assert.match(packets.at(-1)[0], /R/);
    assert.equal(packets.at(-1)[1], 'the client resets the connection');
  });
});

test('capture --pcap: a place that cannot be written is refused before the session', { skip: missing }, async () => {
  await inFolder(async (folder) => {
    writeFileSync(join(folder, 'old'), 'mine');
    for (const [name, words] of [['old', /exists, and is not written over/], ['.', /is a folder: name a file in it/], ['no/file', /there is no folder /], ['', /--pcap wants the name/]]) {
      const { err, out } = await runTool('capture', ['03-fork', executableOf('03-fork'), '--pcap', name], { environment: { LEARN_FROM: folder, PATH: '/nowhere' } });
      assert.match(err, words);
      assert.equal(out, '');
    }
    assert.equal(readFileSync(join(folder, 'old'), 'utf8'), 'mine');
    assert.equal(existsSync(join(folder, 'no')), false);
  });
});

test('two chapters whose packets are the same', { skip: noCapture }, async () => {
  const words = ['01-iterative', executableOf('01-iterative'), '03-fork', executableOf('03-fork'), '--plain'];
  const [first, second] = [await runTool('capture-two', words), await runTool('capture-two', words)];
  assert.deepEqual([first.code, first.err, first.left], [0, '', []]);
  assert.equal(first.out, second.out);
  assert.match(first.out, /^01-iterative and 03-fork, one client: the packets\n/);
  assert.match(first.out, /\n01-iterative and 03-fork: the same packets in the same order\n$/);
});

test('packets that differ have a sign, and are counted', () => {
  const packet = (from, flags, kind = 'data') => ({
    from, to: from === 'client' ? 'server' : 'client', flags: new Set(flags), seq: 1, ack: 1, length: 0, payload: Buffer.alloc(0), kind,
    states: { client: 'ESTABLISHED', server: 'ESTABLISHED' },
  });
  const steps = (...packets) => [{ title: 'the client closes', packets }];
  const one = { name: '01-one', steps: steps(packet('client', ['fin', 'ack']), packet('server', ['ack'], 'ack'), packet('server', ['fin', 'ack'])) };
  const two = { name: '02-two', steps: steps(packet('client', ['fin', 'ack']), packet('server', ['rst'])) };
  const text = renderComparison(one, two, 'both', { plain: true });
  assert.match(text, /\n {6}client → server {2}FIN\+ACK .*\n- {5}server → client {2}FIN\+ACK .*\n\+ {5}server → client {2}RST /);
  assert.match(text, /\n01-one and 02-two: packets that are the same: 1; of 01-one alone: 1; of 02-two alone: 1\n$/);
  assert.deepEqual(diff(['a', 'b', 'c'], ['a', 'c', 'd']), [[' ', 'a'], ['-', 'b'], [' ', 'c'], ['+', 'd']]);
});
