// The server that the client talks to: one that is started for it, or one that runs already.

import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Problem, Unavailable } from '../../observe/problem.mjs';
import { listDescriptors, listProcesses, readStat } from '../../observe/proc.mjs';
import { Observer } from '../../observe/processes.mjs';
import { QuietWatcher } from '../../observe/quiet.mjs';
import { startServer } from '../../observe/run-server.mjs';
import { describeEndpoint, nameHost, readSocketTable } from '../../observe/socket-table.mjs';
import { becomesTrue } from '../../observe/waits.mjs';

const pause = 60; // ms that a server is given whose processes cannot be looked at
const goodbye = 2000; // ms until it is known how a server has ended that is gone
const lastWords = 200; // ms for what it may have written then

export class PeerServer {
  #observer;
  #quiet;
  #told = 0; // characters of its stderr that have been told
  /** What it is called: its chapter, or the name of its process. */
  name;
  /** {address, port} by which it is reached. */
  address;
  /** A server of run-server.mjs, or null for one that runs already. */
  process;
  /** Its first process, or null where we may not look at it, or where it is on another machine. */
  pid;
  isLocal;

  constructor({ name, address, process = null, pid = null, group = null, isLocal = true }) {
    Object.assign(this, { name, address, process, pid, isLocal });
    this.#observer = pid === null ? null : new Observer(pid);
    this.#quiet = group === null ? null : new QuietWatcher(group);
    this.process?.ended.then((how) => { this.end = how; });
  }

  /** Waits until it does nothing any more; returns whether it does. */
  waitForQuiet = async (stretch) => {
    if (this.#quiet === null) return sleep(stretch ?? pause, true);
    const isQuiet = await this.#quiet.wait(stretch);
    await setImmediate(); // What it has written by now is read: timers that are late come before that.
    // Its last words, and how it has ended, come a moment after it has gone.
    if (this.process !== null && this.end === undefined && this.look() === null) {
      await becomesTrue(() => this.end !== undefined, goodbye);
      await becomesTrue(() => this.process.diagnostics.length > this.#told, lastWords);
    }
    return isQuiet;
  };

  /** See Observer.look(); null where there is nothing to see. */
  look() {
    return this.#observer?.look() ?? null;
  }

  /** How it has ended, as a clause, or null while it runs. */
  describeEnd() {
    if (this.process !== null) return this.end === undefined ? null : `has ended: ${this.end}`;
    return this.pid !== null && readStat(this.pid) === null ? 'has ended' : null;
  }

  /** How much it has written to stderr, in characters. */
  countDiagnostics() {
    return this.process?.diagnostics.length ?? 0;
  }

  /** What it has written to stderr since the last call, line by line. */
  takeDiagnostics() {
    const news = (this.process?.diagnostics ?? '').slice(this.#told);
    this.#told += news.length;
    return news.split('\n').filter(Boolean);
  }
}

/** Starts a chapter's server, for as long as the scope lasts. Throws Problem. */
export async function startPeer(scope, name, executable, options) {
  const server = await startServer(scope, executable, { options }).catch((error) => {
    // A chapter whose machine is missing: the server says what forbids it.
    throw / io_uring_setup: /.test(error.message) ? new Unavailable(error.message) : error;
  });
  return new PeerServer({
    name, process: server, pid: server.group, group: server.group, address: { address: nameHost(server.host), port: server.port },
  });
}

/** The server that runs already at this host, a name or an address, and port. Throws Problem where there is none. */
export async function findPeer(host, port) {
  const address = await resolveHost(host);
  if (!isOurs(address)) return new PeerServer({ name: 'the server', address: { address, port }, isLocal: false });
  const listeners = readSocketTable().filter(({ state, local }) => state === 'LISTEN' && local.port === port);
  const listener = listeners.find(({ local }) => isReachedBy(address, local.address));
  if (listener === undefined) throw new Problem(explainAbsence(address, port, listeners));
  const pid = findFirstProcess(listener.inode);
  const stat = pid === null ? null : readStat(pid);
  return new PeerServer({ name: stat?.name ?? 'the server', address: { address, port }, pid, group: stat?.group ?? null });
}

async function resolveHost(host) {
  try {
    return (await lookup(host.replace(/^\[(.*)\]$/, '$1'))).address;
  } catch {
    throw new Problem(`there is no host '${host}': --host wants a name or an address, such as 127.0.0.1 or ::1`);
  }
}

const isOurs = (address) => address.startsWith('127.') || address === '0.0.0.0' || address === '::'
  || Object.values(networkInterfaces()).flat().some((own) => own.address === address);

const isReachedBy = (address, listening) => listening === address || address === '0.0.0.0' || address === '::'
  || listening === '::' || (listening === '0.0.0.0' && !address.includes(':'));

function explainAbsence(address, port, listeners) {
  const other = listeners[0]?.local;
  const where = describeEndpoint({ address, port });
  return other === undefined
    ? `no process listens on ${where}; start a server in another terminal, ./learn run 3 for one: its first line says its port`
    : `no process listens on ${where}, but one does on ${describeEndpoint(other)}: --host ${nameHost(other.address)}`;
}

/** The process that has a socket open and whose parent has not, or null where we may not see it. */
function findFirstProcess(inode) {
  const target = `socket:[${inode}]`;
  const owners = listProcesses().filter((pid) => listDescriptors(pid).some((descriptor) => descriptor.target === target));
  return owners.find((pid) => !owners.includes(readStat(pid)?.parent)) ?? null;
}
