// What the kernel has of a server and its clients at a moment when nothing moves.

import { setTimeout as sleep } from 'node:timers/promises';
import { listDescriptors, readProc, readStat } from '../../observe/proc.mjs';
import { nameEpollEvents } from './decode.mjs';
import { listSockets } from './ss.mjs';

const acknowledgementPatience = 500; // ms: a kernel may delay an acknowledgement by 40 ms and more
const interval = 3; // ms between two looks

const inodeOf = (target) => Number(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? Number.NaN);

/** Looks at the processes of one server, again and again, and at all sockets of its port. */
export class Observer {
  #port = null;
  #clients = []; // ports, in the order in which they have come
  #listeners = []; // inodes, in the order in which they have come; the kernel's numbers do not always grow
  #strangers = null; // what was there of the port before us: connections of an earlier server, in TIME_WAIT

  /** How many clients a process has been seen to have, until now. */
  get clientCount() {
    return this.#clients.length;
  }

  /** The server's port, once it listens. */
  get port() {
    return this.#port;
  }

  /** The name of the client that has this port. */
  nameClient(port) {
    if (!this.#clients.includes(port)) this.#clients.push(port);
    return `client ${this.#clients.indexOf(port) + 1}`;
  }

  /**
   * Waits until two looks at the sockets are equal, everything that was sent is acknowledged, and the clients have read what has come
   * for them; the last for a limited time, since a client may have decided not to read. Returns the rows.
   */
  async settle(pids) {
    const end = performance.now() + acknowledgementPatience;
    let before = null;
    for (;;) {
      const rows = await this.#readRows(pids);
      const picture = JSON.stringify(rows);
      const moves = rows.some((row) => row.state !== 'LISTEN' && (row.sendQueue > 0 || (row.peer.port === this.#port && row.receiveQueue > 0)));
      if (picture === before && (!moves || performance.now() > end)) return rows;
      before = picture;
      await sleep(interval);
    }
  }

  async #readRows(pids) {
    if (this.#port === null) {
      const inodes = new Set(pids.flatMap((pid) => listDescriptors(pid).map(({ target }) => inodeOf(target))));
      this.#port = (await listSockets(null)).find(({ inode }) => inodes.has(inode))?.local.port ?? null;
      if (this.#port === null) return [];
    }
    const nameOf = ({ local, peer }) => `${local.port} ${peer.port}`;
    const rows = await listSockets(this.#port);
    this.#strangers ??= new Set(rows.filter(({ state }) => state !== 'LISTEN').map(nameOf));
    const own = rows.filter((row) => !this.#strangers.has(nameOf(row)));
    for (const { state, inode } of own) if (state === 'LISTEN' && !this.#listeners.includes(inode)) this.#listeners.push(inode);
    const order = ({ inode }) => this.#listeners.indexOf(inode);
    return own.sort((a, b) => order(a) - order(b) || a.inode - b.inode || a.local.port - b.local.port || a.peer.port - b.peer.port);
  }

  /** The descriptors of a process from 3 on, and those below that are connections: [{number, what, inode}]. */
  listDescriptors(pid, rows) {
    const byInode = new Map(rows.map((row) => [row.inode, row]));
    return listDescriptors(pid).filter(({ number, target }) => number > 2 || byInode.has(inodeOf(target))).map(({ number, target }) => {
      const row = byInode.get(inodeOf(target));
      return { number, what: this.#describeTarget(target, row, rows), inode: inodeOf(target) || null };
    });
  }

  #describeTarget(target, row, rows) {
    if (target.startsWith('socket:')) {
      if (row === undefined) return isUnixSocket(inodeOf(target)) ? 'unix socket' : 'socket';
      if (row.state === 'LISTEN') {
        // Where there are several, they have numbers, in the order in which describeSockets() has them.
        const listeners = rows.filter(({ state }) => state === 'LISTEN');
        return listeners.length === 1 ? 'listener' : `listener ${listeners.indexOf(row) + 1}`;
      }
      return row.peer.port === 0 ? 'socket' : `connection with ${this.nameClient(row.peer.port)}`;
    }
    return target.replace(/^(pipe):\[\d+\]$/, '$1').replace(/^anon_inode:\[?([\w-]+)\]?$/, '$1').replace(/^.*\/(?=[^/]+$)/, '');
  }

  /**
   * The rows as a reader sees them: {side, whose, client, state, accept, receive, send}; `accept` is the length of a listener's
   * accept queue, the others the bytes in the queues. `owners` maps inodes to the names of who has them open.
   */
  describeSockets(rows, owners) {
    const sockets = rows.filter((row) => row.state === 'LISTEN' || row.peer.port !== 0).map((row) => {
      const isListener = row.state === 'LISTEN';
      const side = row.local.port === this.#port ? 'server' : 'client';
      return {
        side,
        client: isListener ? null : this.nameClient(side === 'server' ? row.peer.port : row.local.port),
        whose: side === 'server' ? nameOwner(row, owners) : null,
        state: row.state,
        accept: isListener ? row.receiveQueue : null,
        receive: isListener ? null : row.receiveQueue,
        send: isListener ? null : row.sendQueue,
      };
    });
    const order = ({ side, client, state }) => `${state === 'LISTEN' ? 0 : 1} ${(client ?? '').padStart(12)} ${side === 'client' ? 0 : 1}`;
    return sockets.sort((a, b) => order(a).localeCompare(order(b)));
  }
}

// Until accept() takes it, a connection belongs to no process. One that has been closed no longer does.
function nameOwner({ state, inode }, owners) {
  if (owners.has(inode)) return owners.get(inode);
  return ['ESTABLISHED', 'CLOSE_WAIT', 'SYN_RECV'].includes(state) ? ['accept queue'] : ['kernel'];
}

// As socketpair(2) makes them. /proc/net/unix: the inode is the seventh word of a line.
const isUnixSocket = (inode) => new RegExp(`^\\S+(?: \\S+){5} +${inode}(?: |$)`, 'm').test(readProc('net/unix') ?? '');

const alwaysReported = 0x18; // EPOLLERR and EPOLLHUP, for which one cannot but wait

/** The interest list of an epoll instance: [{fd, events}]. */
export function readInterestList(pid, epoll) {
  const lines = (readProc(`${pid}/fdinfo/${epoll}`) ?? '').matchAll(/^tfd:\s*(\d+) events:\s*([0-9a-f]+)/gm);
  return [...lines].map(([, fd, events]) => ({ fd: Number(fd), events: nameEpollEvents(Number.parseInt(events, 16) & ~alwaysReported) }))
    .sort((a, b) => a.fd - b.fd);
}

/** How a thread is: 'running', 'asleep', 'waiting' (for the disk, or for the child of vfork), 'held' by the tracer, 'zombie', or null when it is gone. */
export function readState(pid, thread) {
  const stat = readStat(pid, thread);
  return stat === null ? null : { R: 'running', S: 'asleep', D: 'waiting', t: 'held', T: 'held', Z: 'zombie' }[stat.state] ?? 'running';
}
