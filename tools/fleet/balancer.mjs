// HAProxy, and its runtime API: a socket on which it is asked and told, a line at a time.

import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '../observe/problem.mjs';
import { becomesTrue } from '../observe/waits.mjs';
import { Child } from './children.mjs';
import { machines } from './network.mjs';

const configuration = fileURLToPath(new URL('haproxy.cfg', import.meta.url));

/** The configuration with some of its words replaced: each pair must be there, or nobody would notice that it is not. */
export function varyConfiguration(text, changes) {
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Problem(`tools/fleet/haproxy.cfg has no '${from}', which is to become '${to}'`);
    text = text.replace(from, to);
  }
  return text;
}

/** Starts the balancer, and returns when it has found all machines up. `folder` is for its files. */
export async function startBalancer(scope, folder, changes = []) {
  const balancer = new Balancer(scope, folder, changes);
  await balancer.becomeReady();
  return balancer;
}

class Balancer {
  #child;
  #socket;

  constructor(scope, folder, changes) {
    const file = join(folder, 'haproxy.cfg');
    this.#socket = join(folder, 'haproxy.sock');
    writeFileSync(file, varyConfiguration(readFileSync(configuration, 'utf8'), changes));
    this.#child = new Child(scope, 'balancer', ['haproxy', '-db', '-f', file], { env: { FLEET_SOCKET: this.#socket } });
  }

  async becomeReady() {
    // No event tells that its socket is there, or that the first checks are done.
    const isReady = async () => {
      if (this.#child.hasEnded) throw new Problem(`haproxy has ended (${await this.#child.ended}); it said: ${this.#child.diagnostics.trim()}`);
      const states = await this.states().catch((error) => {
        if (['ENOENT', 'ECONNREFUSED'].includes(error.code)) return [];
        throw error;
      });
      return states.length === machines.length && states.every(({ status, check_status }) => status === 'UP' && /^L[47]OK$/.test(check_status));
    };
    if (!(await becomesTrue(isReady, undefined, 20))) throw new Problem('haproxy does not find the machines up');
  }

  /** Sends a command of the runtime API, and returns the answer. */
  ask(command) {
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect(this.#socket, () => socket.end(`${command}\n`));
      socket.setEncoding('utf8').on('data', (text) => { answer += text; }).on('end', () => resolve(answer)).on('error', reject);
    });
  }

  async tell(command) {
    const answer = (await this.ask(command)).trim();
    if (answer !== '') throw new Problem(`haproxy answers '${command}' with: ${answer}`);
  }

  /** What it knows of each machine: the rows of `show stat`, by the names of their columns. */
  async states() {
    const [head, ...rows] = (await this.ask('show stat')).trim().split('\n').map((line) => line.split(','));
    const table = rows.map((cells) => Object.fromEntries(cells.map((cell, index) => [head[index].replace(/^# /, ''), cell])));
    return table.filter(({ pxname, svname }) => pxname === 'machines' && machines.includes(svname));
  }

  async connectionsOf(machine) {
    return Number((await this.states()).find(({ svname }) => svname === machine).scur);
  }

  /** A mark for found(): what the balancer says from now on. */
  get now() { return this.#child.now; }

  /** Waits until it says that it has found the machine UP, or DOWN. */
  found(machine, state, since) {
    return this.#child.line(new RegExp(`Server machines/${machine} is ${state}\\b`), since, 15_000);
  }

  stop() { return this.#child.stop(); }
}
