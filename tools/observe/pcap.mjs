// Reads the packets that `tcpdump -w -` writes (pcap-savefile(5)): TCP on the loopback device.

import { Problem } from './problem.mjs';

const fileHeaderSize = 24;
const recordHeaderSize = 16;
const ethernetHeaderSize = 14;
export const ethernet = 1; // LINKTYPE_ETHERNET, which Linux gives to lo as well
const magicNumbers = [0xa1b2c3d4, 0xa1b23c4d]; // times in micro- and nanoseconds

/**
 * Takes the file in pieces of any size and calls `onPacket` with every packet that is complete: what parseFrame() below
 * says of it and, as `frame`, {bytes, time (ns since 1970, a BigInt), length (bytes on the wire)}.
 */
export class PcapReader {
  #pending = Buffer.alloc(0);
  #isLittleEndian = null;
  #fraction; // ns of which the second half of a time counts
  #onPacket;

  constructor(onPacket) {
    this.#onPacket = onPacket;
  }

  push(bytes) {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    if (this.#isLittleEndian === null && !this.#readFileHeader()) return;
    for (let frame = this.#takeFrame(); frame !== null; frame = this.#takeFrame()) {
      const packet = parseFrame(frame.bytes);
      if (packet !== null) this.#onPacket({ ...packet, frame });
    }
  }

  #readFileHeader() {
    if (this.#pending.length < fileHeaderSize) return false;
    // The writer uses the byte order of its machine; the magic number tells which.
    this.#isLittleEndian = magicNumbers.includes(this.#pending.readUInt32LE(0));
    if (!this.#isLittleEndian && !magicNumbers.includes(this.#pending.readUInt32BE(0))) {
      throw new Problem('what tcpdump writes is not in the pcap format');
    }
    this.#fraction = this.#readNumber(0) === magicNumbers[0] ? 1000n : 1n;
    const linkType = this.#readNumber(20) & 0xffff;
    if (linkType !== ethernet) throw new Problem(`packets of link type ${linkType} are new to this tool; on lo it should be ${ethernet}`);
    this.#pending = this.#pending.subarray(fileHeaderSize);
    return true;
  }

  #takeFrame() {
    if (this.#pending.length < recordHeaderSize) return null;
    const end = recordHeaderSize + this.#readNumber(8);
    if (this.#pending.length < end) return null;
    const frame = {
      bytes: Buffer.from(this.#pending.subarray(recordHeaderSize, end)),
      time: BigInt(this.#readNumber(0)) * 1_000_000_000n + BigInt(this.#readNumber(4)) * this.#fraction,
      length: this.#readNumber(12),
    };
    this.#pending = this.#pending.subarray(end);
    return frame;
  }

  #readNumber(offset) {
    return this.#isLittleEndian ? this.#pending.readUInt32LE(offset) : this.#pending.readUInt32BE(offset);
  }
}

const protocolTcp = 6;
const ipv6HeaderSize = 40;

/** The TCP segment in a packet of IPv4 or IPv6, without the padding of a short frame; null when it holds none. */
function unpack(etherType, ip) {
  if (etherType === 0x0800 && ip[9] === protocolTcp) return ip.subarray((ip[0] & 0x0f) * 4, ip.readUInt16BE(2));
  // Between two sockets of one machine no extension header stands in front of the segment.
  if (etherType === 0x86dd && ip[6] === protocolTcp) return ip.subarray(ipv6HeaderSize, ipv6HeaderSize + ip.readUInt16BE(4));
  return null;
}

const flagBits = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10 };

/** {sourcePort, destinationPort, seq, ack, flags: a Set of 'syn' and so on, payload}; null when it is not TCP. */
function parseFrame(frame) {
  const tcp = unpack(frame.readUInt16BE(12), frame.subarray(ethernetHeaderSize));
  if (tcp === null) return null;
  const tcpHeaderSize = (tcp[12] >> 4) * 4;
  return {
    sourcePort: tcp.readUInt16BE(0),
    destinationPort: tcp.readUInt16BE(2),
    seq: tcp.readUInt32BE(4),
    ack: tcp.readUInt32BE(8),
    flags: new Set(Object.keys(flagBits).filter((name) => tcp[13] & flagBits[name])),
    payload: Buffer.from(tcp.subarray(tcpHeaderSize)),
  };
}
