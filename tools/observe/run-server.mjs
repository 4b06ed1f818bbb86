// Starts a chapter's server and ends it, with every process that it has started.

import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { once } from 'node:events';
import { Problem } from './problem.mjs';
import { listGroup } from './proc.mjs';
import { becomesTrue, patience, waitFor } from './waits.mjs';

const goodbye = 2000; // ms between SIGTERM and SIGKILL

/**
 * Starts the server in a process group of its own, waits for its ready line, and has it ended with the
 * scope. `wrapper` are words in front of the command, strace's for instance. Throws Problem.
 */
export async function startServer(scope, executable, { options = ['--port', '0'], wrapper = [] } = {}) {
  demandExecutable(executable);
  const [program, ...words] = [...wrapper, executable, ...options];
  const server = new Server(spawn(program, words, {
    detached: true, // A group of its own: Ctrl-C is for this tool, and the whole group can be ended by its id.
    stdio: ['ignore', 'pipe', 'pipe'],
  }), wrapper.length > 0);
  scope.defer(() => server.stop());
  await server.becomeReady();
  return server;
}

export function demandExecutable(executable) {
  try {
    accessSync(executable, constants.X_OK);
    if (statSync(executable).isFile()) return;
  } catch { /* The reason follows. */ }
  const target = executable.split('/').at(-1);
  throw new Problem(`${executable} is not an executable file; build it: cmake --build build --target ${target}`);
}

/** A running server. Its process group has the id of the first process. */
class Server {
  #process;
  #isWrapped;
  #output = '';
  host;
  port;
  diagnostics = ''; // everything that came on stderr
  ended; // resolves to "exit 1" or "killed by SIGPIPE"

  constructor(process_, isWrapped) {
    this.#process = process_;
    this.#isWrapped = isWrapped;
    process_.stderr.setEncoding('utf8').on('data', (text) => { this.diagnostics += text; });
    this.ended = once(process_, 'exit').then(
      ([code, signal]) => signal ? `killed by ${signal}` : `exit ${code}`,
      (error) => `not started: ${error.message}`,
    );
    // The last resort, where no promise is waited for any more.
    process.on('exit', this.#killGroup);
  }

  get group() {
    return this.#process.pid;
  }

  /** Sends a signal to the server itself, and not to what stands in front of it. Throws Problem where it has ended. */
  signal(name) {
    const pid = this.#isWrapped ? listGroup(this.group).find(({ parent }) => parent === this.group)?.pid : this.group;
    if (pid === undefined) throw new Problem(`the server has ended before ${name} was sent to it`);
    sendSignal(pid, name);
  }

  async becomeReady() {
    // Under strace an interpreter takes its time to start, however short the learner's patience is.
    const limit = Math.max(patience, 15_000);
    const line = await waitFor("the server's line 'listening on ADDRESS:PORT'", this.#readLine(), limit);
    const [, host, port] = /^listening on (.+):(\d+)$/.exec(line) ?? [];
    if (port === undefined) throw new Problem(`the server should say 'listening on ADDRESS:PORT', and said '${line}'`);
    this.host = host.replace(/^\[|\]$/g, '');
    this.port = Number(port);
  }

  #readLine() {
    return new Promise((resolve, reject) => {
      this.#process.stdout.setEncoding('utf8').on('data', (text) => {
        this.#output += text;
        const end = this.#output.indexOf('\n');
        if (end !== -1) resolve(this.#output.slice(0, end));
      });
      this.ended.then(async (how) => {
        await becomesTrue(() => this.#process.stderr.readableEnded, goodbye);
        const words = this.diagnostics.trim();
        reject(new Problem(`the server did not start (${how})${words ? `; it said: ${words}` : ''}`));
      });
    });
  }

  /** Ends the group: SIGTERM to its processes, then SIGKILL to what is left. */
  async stop() {
    if (this.group === undefined) return;
    // A tracer ends by itself when it has seen the last of the traced processes go.
    for (const { pid } of listGroup(this.group)) {
      if (!(this.#isWrapped && pid === this.group)) sendSignal(pid, 'SIGTERM');
    }
    const isGone = () => listGroup(this.group).length === 0;
    if (!(await becomesTrue(isGone, goodbye))) this.#killGroup();
    await becomesTrue(isGone, goodbye);
    // Until its end has been asked for, the first process is a zombie.
    await waitFor('the end of the server', this.ended, goodbye).catch(() => {});
    process.off('exit', this.#killGroup);
  }

  #killGroup = () => {
    if (this.group !== undefined) sendSignal(-this.group, 'SIGKILL');
  };
}

function sendSignal(target, signal) {
  try {
    process.kill(target, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // Gone already is what was wanted.
  }
}
