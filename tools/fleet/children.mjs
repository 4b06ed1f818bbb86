// The programs that run in the namespaces: servers, the balancer, clients. Each is ended by its id.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Problem } from '../observe/problem.mjs';
import { waitFor } from '../observe/waits.mjs';
import { inNamespace } from './network.mjs';

const goodbye = 2000; // ms between SIGTERM and SIGKILL

/** A program that runs in the namespace of a machine, and is ended with the scope. */
export class Child {
  #process;
  #lines = [];
  #listeners = new Set();
  diagnostics = ''; // what came on stderr, its last part
  hasEnded = false;

  constructor(scope, machine, words, { env = {} } = {}) {
    const [program, ...others] = inNamespace(machine, words);
    this.name = `${words[0].split('/').at(-1)} on ${machine}`;
    // A group of its own: Ctrl-C is for this command, which ends them in order, with all that they have started.
    this.#process = spawn(program, others, { detached: true, env: { ...process.env, ...env } });
    this.#process.stdin.on('error', () => {}); // A client that has gone does not listen any more.
    for (const stream of [this.#process.stdout, this.#process.stderr]) this.#listen(stream);
    this.#process.stderr.on('data', (text) => { this.diagnostics = (this.diagnostics + text).slice(-10_000); });
    // What a server has started goes with it, as with a service of systemd.
    this.#process.on('exit', () => this.#killGroup());
    // 'close' comes when its output has been read, too.
    this.ended = once(this.#process, 'close').then(
      ([code, signal]) => (signal ? `killed by ${signal}` : `exit ${code}`),
      (error) => `not started: ${error.message}`,
    ).finally(() => { this.hasEnded = true; this.#tell(); });
    scope.defer(() => this.stop());
  }

  #listen(stream) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      this.#lines.push(...lines);
      this.#tell();
    });
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }

  /** How many lines there have been: what comes from now on begins here. */
  get now() { return this.#lines.length; }

  /** The first line from `since` on that fits; throws Problem when the program ends before, or patience does. */
  async line(form, since = 0, limit = undefined) {
    const find = () => this.#lines.slice(since).find((line) => form.test(line));
    let listener;
    const found = new Promise((resolve, reject) => {
      listener = () => {
        const line = find();
        if (line !== undefined) resolve(line);
        else if (this.hasEnded) this.ended.then((how) => reject(new Problem(`${this.name} has ended (${how}); it said: ${this.diagnostics.trim() || 'nothing'}`)));
      };
      this.#listeners.add(listener);
      listener();
    });
    try {
      return await waitFor(`a line like ${form} from ${this.name}`, found, limit);
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Closes its stdin. */
  endInput() { this.#process.stdin.end(); }

  signal(signal) {
    if (this.#process.pid === undefined || this.hasEnded) return;
    try {
      process.kill(this.#process.pid, signal);
    } catch (error) {
      if (error.code !== 'ESRCH') throw error; // Gone already is what was wanted.
    }
  }

  /** Ends it, if it has not ended. */
  async stop() {
    if (this.hasEnded) return;
    this.signal('SIGTERM');
    this.signal('SIGCONT'); // It may have been halted.
    await waitFor(`the end of ${this.name}`, this.ended, goodbye).catch(() => this.#killGroup());
    await waitFor(`the end of ${this.name}`, this.ended, goodbye);
  }

  #killGroup() {
    if (this.#process.pid === undefined) return;
    try {
      process.kill(-this.#process.pid, 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
}
