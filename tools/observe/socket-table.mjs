// The TCP sockets of this machine, from /proc/net/tcp and tcp6 (proc(5); the format is in net/ipv4/tcp_ipv4.c).

import { readProc } from './proc.mjs';

// include/net/tcp_states.h
const states = [
  '', 'ESTABLISHED', 'SYN_SENT', 'SYN_RECV', 'FIN_WAIT1', 'FIN_WAIT2', 'TIME_WAIT', 'CLOSE', 'CLOSE_WAIT', 'LAST_ACK',
  'LISTEN', 'CLOSING', 'NEW_SYN_RECV',
];

/**
 * All sockets that the process `pid` could see: {local, peer, state, sendQueue, receiveQueue, inode}, where
 * local and peer are {address, port}. For a listener receiveQueue is the length of its accept queue.
 */
export function readSocketTable(pid = 'self') {
  return [`${pid}/net/tcp`, `${pid}/net/tcp6`].flatMap((path) => parseSocketTable(readProc(path) ?? ''));
}

export function parseSocketTable(text) {
  return text.split('\n').slice(1).map(parseRow).filter((row) => row !== null);
}

function parseRow(line) {
  const [, local, peer, state, queues, , , , , inode] = line.trim().split(/\s+/);
  if (inode === undefined) return null;
  const [sendQueue, receiveQueue] = queues.split(':').map((text) => Number.parseInt(text, 16));
  return {
    local: parseEndpoint(local),
    peer: parseEndpoint(peer),
    state: states[Number.parseInt(state, 16)] ?? `state ${state}`,
    sendQueue,
    receiveQueue,
    inode: Number(inode),
  };
}

function parseEndpoint(text) {
  const [address, port] = text.split(':');
  return { address: address.length === 8 ? parseIpv4(address) : parseIpv6(address), port: Number.parseInt(port, 16) };
}

// The kernel prints each 32-bit word as a number in the machine's byte order: little-endian on x86-64 and arm64.
const bytesOf = (address) => address.match(/.{8}/g).flatMap((word) => word.match(/../g).reverse()).map((byte) => Number.parseInt(byte, 16));

const parseIpv4 = (address) => bytesOf(address).join('.');

function parseIpv6(address) {
  const bytes = bytesOf(address);
  const isMappedIpv4 = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (isMappedIpv4) return bytes.slice(12).join('.');
  const groups = bytes.flatMap((byte, at) => (at % 2 === 0 ? [((byte << 8) | bytes[at + 1]).toString(16)] : []));
  // The first longest run of zero groups becomes `::` (RFC 5952).
  const longest = groups.join(':').match(/\b0(?::0)+\b/g)?.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) return groups.join(':');
  const text = groups.join(':');
  const at = text.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`;
}

/** `127.0.0.1:9877`, or `[::1]:9877`. */
export function describeEndpoint({ address, port }) {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The address by which a client on this machine reaches a server: one that stands for all addresses is none. */
export const nameHost = (address) => ({ '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address);
