// Writes packets with comments, in the format that Wireshark keeps its own in: pcapng (draft-ietf-opsawg-pcapng).

const blockTypes = { section: 0x0a0d0d0a, interface: 1, packet: 6 };
const byteOrderMagic = 0x1a2b3c4d;
const unknownLength = 0xffff_ffff; // Of a section that has no length in front, both halves are all ones.
const optionCodes = { end: 0, comment: 1, interfaceName: 2, application: 4, resolution: 9 };
const nanoseconds = 9; // the resolution of times: 10 to the power of -9 seconds
const longestText = 0xffff; // bytes of an option

/**
 * The file as a Buffer. `packets` are [{bytes, time, length, comment}]: what was captured, in ns since 1970 (a BigInt),
 * how long it was on the wire, and a text or nothing. `linkType` says what the bytes begin with, see pcap.mjs.
 */
export function writePcapng(packets, { linkType, application, interfaceName, comment }) {
  return Buffer.concat([
    makeBlock(blockTypes.section, Buffer.concat([numbers32(byteOrderMagic), numbers16(1, 0), numbers32(unknownLength, unknownLength)]),
      [textOption(optionCodes.comment, comment), textOption(optionCodes.application, application)]),
    makeBlock(blockTypes.interface, Buffer.concat([numbers16(linkType, 0), numbers32(0)]), // 0: no limit to a packet's length
      [textOption(optionCodes.interfaceName, interfaceName), option(optionCodes.resolution, Buffer.from([nanoseconds]))]),
    ...packets.map(makePacketBlock),
  ]);
}

function makePacketBlock({ bytes, time, length, comment }) {
  const head = numbers32(0, Number(time >> 32n), Number(time & 0xffff_ffffn), bytes.length, length); // 0: the first interface
  return makeBlock(blockTypes.packet, Buffer.concat([head, pad(bytes)]), comment ? [textOption(optionCodes.comment, comment)] : []);
}

/** Type, length, body, options, and the length again, by which a reader can go backwards. */
function makeBlock(type, body, options) {
  const end = options.length > 0 ? [option(optionCodes.end, Buffer.alloc(0))] : [];
  const inside = Buffer.concat([body, ...options, ...end]);
  const length = inside.length + 12;
  return Buffer.concat([numbers32(type, length), inside, numbers32(length)]);
}

const option = (code, value) => Buffer.concat([numbers16(code, value.length), pad(value)]);

/** A text in UTF-8, which is cut where it is longer than an option can be. */
function textOption(code, text) {
  const bytes = Buffer.from(text);
  if (bytes.length <= longestText) return option(code, bytes);
  let end = longestText;
  while ((bytes[end] & 0xc0) === 0x80) end -= 1; // Not in the middle of a character.
  return option(code, bytes.subarray(0, end));
}

/** Everything begins at a multiple of four bytes. */
const pad = (bytes) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

function numbers32(...values) {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  return bytes;
}

function numbers16(...values) {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, index) => bytes.writeUInt16LE(value, 2 * index));
  return bytes;
}
