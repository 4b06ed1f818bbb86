// Asks the kernel which side of a connection is in TIME_WAIT.

import { spawnSync } from 'node:child_process';
import { readSocketTable } from './socket-table.mjs';

/**
 * {side, source}: which side's socket is in TIME_WAIT, by ss or, where it is missing, by /proc. `ports` are the
 * two of the connection, {client, server}.
 */
export function lookForTimeWait(ports) {
  const ss = spawnSync('ss', ['-tanH', 'state', 'time-wait'], { encoding: 'utf8', timeout: 5000, maxBuffer: 2 ** 26 });
  if (ss.status === 0) return { side: findSides(parseSs(ss.stdout), ports), source: 'ss -tan' };
  const table = readSocketTable().filter(({ state }) => state === 'TIME_WAIT')
    .map(({ local, peer }) => ({ local: local.port, peer: peer.port }));
  return { side: findSides(table, ports), source: '/proc/net/tcp' };
}

/** The ports {local, peer} in what `ss -tanH state time-wait` prints: two queues, the local address, the peer's. */
export function parseSs(text) {
  return [...text.matchAll(/^\s*\d+\s+\d+\s+\S+:(\d+)\s+\S+:(\d+)/gm)]
    .map(([, local, peer]) => ({ local: Number(local), peer: Number(peer) }));
}

/**
 * 'client', 'server', 'client and server' or 'nobody'. Both ports count: another connection, of this server or of
 * somebody else's program, may have one of them.
 */
export function findSides(sockets, { client, server }) {
  const isClient = sockets.some(({ local, peer }) => local === client && peer === server);
  const isServer = sockets.some(({ local, peer }) => local === server && peer === client);
  return [isClient && 'client', isServer && 'server'].filter(Boolean).join(' and ') || 'nobody';
}
