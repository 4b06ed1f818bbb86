import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PcapReader } from '../pcap.mjs';

function makeIpv4Header(protocol, length) {
  const ip = Buffer.alloc(20);
  ip[0] = 0x45;
  ip.writeUInt16BE(20 + length, 2);
  ip[9] = protocol;
  return ip;
}

function makeIpv6Header(protocol, length) {
  const ip = Buffer.alloc(40);
  ip[0] = 0x60;
  ip.writeUInt16BE(length, 4);
  ip[6] = protocol;
  return ip;
}

/** A pcap file with one frame: TCP from 50234 to 9877, PSH and ACK, with `data`. */
function makeFile(data, { linkType = 1, protocol = 6, isIpv6 = false } = {}) {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt32LE(linkType, 20);
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(50234, 0);
  tcp.writeUInt16BE(9877, 2);
  tcp.writeUInt32BE(7, 4);
  tcp.writeUInt32BE(0xffff_ffff, 8);
  tcp[12] = 5 << 4;
  tcp[13] = 0x18;
  const ip = (isIpv6 ? makeIpv6Header : makeIpv4Header)(protocol, tcp.length + data.length);
  const ethernet = Buffer.alloc(14);
  ethernet.writeUInt16BE(isIpv6 ? 0x86dd : 0x0800, 12);
  // Two bytes of padding at the end, as short Ethernet frames have them: they are not data.
  const frame = Buffer.concat([ethernet, ip, tcp, Buffer.from(data), Buffer.alloc(2)]);
  const record = Buffer.alloc(16);
  record.writeUInt32LE(frame.length, 8);
  record.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, record, frame]);
}

function read(pieces) {
  const packets = [];
  const reader = new PcapReader((packet) => packets.push(packet));
  for (const piece of pieces) reader.push(piece);
  return packets;
}

test('a packet is read, however the file comes in pieces', () => {
  const file = makeFile('hello\n');
  for (const pieces of [[file], [...file].map((byte) => Buffer.from([byte])), [makeFile('hello\n', { isIpv6: true })]]) {
    const [packet, surplus] = read(pieces);
    assert.equal(surplus, undefined);
    assert.deepEqual([packet.sourcePort, packet.destinationPort, packet.seq, packet.ack], [50234, 9877, 7, 0xffff_ffff]);
    assert.deepEqual([...packet.flags].sort(), ['ack', 'psh']);
    assert.equal(packet.payload.toString(), 'hello\n');
  }
});

test('what is not TCP is passed over', () => {
  assert.deepEqual(read([makeFile('x', { protocol: 17 })]), []);
  assert.deepEqual(read([makeFile('x', { protocol: 17, isIpv6: true })]), []);
});

test('another format is refused in words', () => {
  assert.throws(() => read([Buffer.alloc(24)]), /not in the pcap format/);
  assert.throws(() => read([makeFile('x', { linkType: 113 })]), /link type 113/);
});
