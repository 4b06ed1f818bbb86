// Looks at a running server through /proc: its processes and threads, descriptors and sockets.

import { readlinkSync } from 'node:fs';
import { listDescriptors, listProcesses, listThreads, readProc, readStat, readStatus } from './proc.mjs';
import { compareRoles, compressRoles } from './roles.mjs';
import { describeEndpoint, readSocketTable } from './socket-table.mjs';
import { describeBlockedCall } from './syscalls.mjs';

const stateWords = {
  R: 'running', S: 'asleep', D: 'asleep (disk)', Z: 'zombie', T: 'stopped', t: 'stopped (traced)', I: 'idle', X: 'ended',
};
const ticksPerSecond = 100; // of /proc's times, on every Linux that people use (sysconf(_SC_CLK_TCK))

/** Looks at the same server again and again; a process or thread keeps its role from look to look. */
export class Observer {
  #root;
  #roles = new Map(); // "PID" or "PID/TID" to "child 1"
  #counts = { child: 0, thread: 0 };
  #ticks = new Map(); // the same keys to {ticks, time} at the last look

  /** `root` is the pid of the server's first process. */
  constructor(root) {
    this.#root = root;
  }

  /**
   * {listeners, tasks, descriptors, sockets}, or null when the server is gone:
   *   listeners    [{address, port, pid}] the listening sockets, each with the first process of the tree that has it
   *                open: the server's own come first
   *   tasks        [{role, pid, depth, state, blockedIn, cpuSeconds, cpuShare (null at the first look), memoryKib, threads}],
   *                in the order of the tree; threads follow their process, without memory and threads
   *   descriptors  [{role, pid, list: [{number, what}]}], where `what` is "pipe" or "listener 127.0.0.1:9877"
   *   sockets      [{whose, state, local, peer, toRead, toSend, waiting}]; a listener has `waiting`, the others the
   *                bytes `toRead` and `toSend`
   */
  look() {
    const processes = this.#findProcesses();
    if (processes.length === 0) return null;
    const table = readSocketTable(this.#root);
    const sockets = new Map(table.map((socket) => [socket.inode, socket]));
    const owners = new Map(); // inode to the roles that have the socket open
    const firstOwners = new Map(); // inode to the first process that has it open
    const descriptors = processes.map(({ stat, role }) => {
      const list = listDescriptors(stat.pid).filter((descriptor) => !isInherited(descriptor));
      for (const { target } of list) {
        addOwner(owners, inodeOf(target), role);
        if (!firstOwners.has(inodeOf(target))) firstOwners.set(inodeOf(target), stat.pid);
      }
      return { role, pid: stat.pid, list: list.map(({ number, target }) => ({ number, what: describeTarget(target, sockets) })) };
    });
    const listeners = table.filter(({ state, inode }) => state === 'LISTEN' && owners.has(inode))
      .map(({ local, inode }) => ({ ...local, pid: firstOwners.get(inode) }))
      .sort((a, b) => Number(b.pid === this.#root) - Number(a.pid === this.#root));
    const ports = new Set(listeners.map(({ port }) => port));
    return {
      listeners,
      tasks: processes.flatMap((process) => this.#describeProcess(process)),
      descriptors: descriptors.filter(({ list }) => list.length > 0),
      sockets: table.filter(({ local, peer }) => ports.has(local.port) || ports.has(peer.port))
        .map((socket) => describeSocket(socket, owners, ports))
        .sort(compareSockets),
    };
  }

  /** The first process and its descendants, as a tree in one list: [{stat, depth, role}]. */
  #findProcesses() {
    const all = listProcesses().map((pid) => readStat(pid)).filter((stat) => stat !== null);
    const children = new Map(); // pid to those of its children
    for (const stat of all) {
      if (!children.has(stat.parent)) children.set(stat.parent, []);
      children.get(stat.parent).push(stat);
    }
    const found = [];
    const visit = (stat, depth) => {
      found.push({ stat, depth, role: this.#roleOf(`${stat.pid}`, depth === 0 ? null : 'child') });
      (children.get(stat.pid) ?? []).sort((a, b) => a.startTime - b.startTime || a.pid - b.pid)
        .forEach((child) => visit(child, depth + 1));
    };
    const root = all.find(({ pid, state }) => pid === this.#root && state !== 'Z');
    if (root !== undefined) visit(root, 0);
    return found;
  }

  #roleOf(key, kind) {
    if (kind === null) return 'server';
    if (!this.#roles.has(key)) {
      this.#counts[kind] += 1;
      this.#roles.set(key, `${kind} ${this.#counts[kind]}`);
    }
    return this.#roles.get(key);
  }

  #roleOfThread(name, key) {
    // io_uring's own threads belong to the kernel; their names say so: iou-wrk-4711, iou-sqp-4711.
    return name.startsWith('iou-') ? name.replace(/-\d+$/, ' (kernel)') : this.#roleOf(key, 'thread');
  }

  #describeProcess({ stat, depth, role }) {
    const threads = listThreads(stat.pid);
    const memory = readStatus(stat.pid, stat.pid, 'VmRSS'); // "1234 kB"; a zombie has no memory
    const others = threads.filter((thread) => thread !== stat.pid);
    // The first thread on its own: the others have lines of their own.
    const main = readStat(stat.pid, stat.pid) ?? stat;
    return [
      {
        ...this.#describeTask(main, role, `${stat.pid}`, depth, stat.pid),
        memoryKib: memory === null ? 0 : Number.parseInt(memory, 10),
        threads: threads.length,
      },
      ...others.map((thread) => readStat(stat.pid, thread)).filter((own) => own !== null).map((own) => {
        const key = `${stat.pid}/${own.pid}`;
        return this.#describeTask(own, this.#roleOfThread(own.name, key), key, depth + 1, stat.pid);
      }),
    ];
  }

  #describeTask({ pid, state, ticks }, role, key, depth, process) {
    return {
      role,
      pid,
      depth,
      state: stateWords[state] ?? state,
      blockedIn: 'SD'.includes(state) ? findBlockage(`${process}/task/${pid}`) : '',
      cpuSeconds: ticks / ticksPerSecond,
      cpuShare: this.#measureShare(key, ticks),
    };
  }

  #measureShare(key, ticks) {
    const time = performance.now() / 1000;
    const before = this.#ticks.get(key);
    this.#ticks.set(key, { ticks, time });
    return before === undefined || time === before.time ? null : (ticks - before.ticks) / ticksPerSecond / (time - before.time);
  }
}

/** The system call in which a task sleeps or, where that is not told, the function of the kernel. */
function findBlockage(task) {
  return describeBlockedCall(readProc(`${task}/syscall`) ?? '') || (readProc(`${task}/wchan`) ?? '').replace(/^0$/, '');
}

const inodeOf = (target) => Number(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? Number.NaN);

function addOwner(owners, inode, role) {
  if (Number.isNaN(inode)) return;
  if (!owners.has(inode)) owners.set(inode, []);
  if (!owners.get(inode).includes(role)) owners.get(inode).push(role); // It may have it open under two numbers.
}

function describeTarget(target, sockets) {
  const inode = inodeOf(target);
  if (!Number.isNaN(inode)) {
    const socket = sockets.get(inode);
    if (socket === undefined) return 'local socket';
    if (socket.state === 'LISTEN') return `listener ${describeEndpoint(socket.local)}`;
    return `connection from ${describeEndpoint(socket.peer)}`;
  }
  return target.replace(/^(pipe):\[\d+\]$/, '$1').replace(/^anon_inode:\[?(\w+)\]?$/, '$1');
}

// A pipe or socket that this command has too, under the same number, comes from the shell that started both.
function isInherited({ number, target }) {
  if (number <= 2 || !/^(pipe|socket):/.test(target)) return false;
  try {
    return readlinkSync(`/proc/self/fd/${number}`) === target;
  } catch {
    return false;
  }
}

// The kernel lists sockets in the order of a hash table; a picture should not jump about.
const socketOrder = ['listener', 'connection', 'client'];
const compareSockets = (a, b) => socketOrder.indexOf(a.kind) - socketOrder.indexOf(b.kind)
  || Number(a.whose === acceptQueue) - Number(b.whose === acceptQueue)
  || compareRoles(`${a.whose} ${a.local} ${a.peer}`, `${b.whose} ${b.local} ${b.peer}`);

const acceptQueue = 'accept queue';

function describeSocket(socket, owners, ports) {
  const { local, peer, state, sendQueue, receiveQueue } = socket;
  const isListener = state === 'LISTEN';
  const kind = isListener ? 'listener' : ports.has(local.port) ? 'connection' : 'client';
  return {
    kind,
    whose: nameOwner(socket, kind, owners),
    state,
    local: describeEndpoint(local),
    peer: isListener ? '' : describeEndpoint(peer),
    toRead: isListener ? null : receiveQueue,
    toSend: isListener ? null : sendQueue,
    waiting: isListener ? receiveQueue : null,
  };
}

function nameOwner({ state, inode }, kind, owners) {
  if (state === 'TIME_WAIT') return 'the kernel';
  if (kind === 'client') return 'client';
  if (owners.has(inode)) return compressRoles(owners.get(inode));
  // Until accept() takes it, a connection belongs to no process. One that is being closed no longer does.
  return ['ESTABLISHED', 'CLOSE_WAIT'].includes(state) ? acceptQueue : 'the kernel';
}
