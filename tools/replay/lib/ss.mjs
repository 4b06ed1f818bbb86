// The TCP sockets of one port, from ss(8).
//
// tools/observe reads /proc/net/tcp, whose time grows with all connections of the machine, those in TIME_WAIT too: a second, where a load
// has run. ss lets the kernel choose.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Problem, Unavailable } from '../../observe/problem.mjs';

// The names of observe/socket-table.mjs, which are the kernel's.
const states = {
  LISTEN: 'LISTEN', ESTAB: 'ESTABLISHED', 'SYN-SENT': 'SYN_SENT', 'SYN-RECV': 'SYN_RECV', 'FIN-WAIT-1': 'FIN_WAIT1', 'FIN-WAIT-2': 'FIN_WAIT2',
  'TIME-WAIT': 'TIME_WAIT', 'CLOSE-WAIT': 'CLOSE_WAIT', 'LAST-ACK': 'LAST_ACK', CLOSING: 'CLOSING', UNCONN: 'CLOSE',
};

/**
 * The sockets with this port on either side: {local, peer: {port}, state, sendQueue, receiveQueue, inode}; without a port, the listeners.
 * For a listener receiveQueue is the length of its accept queue. Throws Unavailable where there is no ss.
 */
export async function listSockets(port) {
  const words = port === null ? ['-tlnHOe'] : ['-tanHOe', `( sport = :${port} or dport = :${port} )`];
  const ss = spawn('ss', words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let complaint = '';
  ss.stdout.setEncoding('utf8').on('data', (part) => { text += part; });
  ss.stderr.setEncoding('utf8').on('data', (part) => { complaint += part; });
  try {
    const [status] = await once(ss, 'close');
    if (status !== 0) throw new Problem(`ss has failed: ${complaint.trim()}`);
  } catch (error) {
    if (error.code === 'ENOENT') throw new Unavailable('ss is not installed; on Debian it is in the package iproute2');
    throw error;
  }
  return parseSockets(text);
}

export function parseSockets(text) {
  return text.split('\n').flatMap((line) => {
    const [state, receive, send, local, peer, ...rest] = line.trim().split(/\s+/);
    if (peer === undefined) return [];
    return [{
      local: { port: portOf(local) }, peer: { port: portOf(peer) }, state: states[state] ?? state, receiveQueue: Number(receive),
      sendQueue: state === 'LISTEN' ? 0 : Number(send), // of a listener: how many may wait
      inode: Number(/\bino:(\d+)/.exec(rest.join(' '))?.[1] ?? 0),
    }];
  });
}

const portOf = (endpoint) => Number(endpoint.slice(endpoint.lastIndexOf(':') + 1)) || 0;
