// Drives tools/replay/tracer, which holds each thread of a server where its system calls begin and end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Problem, Unavailable } from '../../observe/problem.mjs';
import { readProc } from '../../observe/proc.mjs';

/** A server under the tracer. Events come through `onEvent`, in the order in which they have happened. */
export class Tracer {
  #child;
  #answers = []; // who waits for the memory that has been asked for, in turn
  #output = '';
  #complaints = '';
  #lineWaiters = [];
  ended;

  /** Starts `program` with `words` under the tracer `executable`; both end with the scope. */
  constructor(scope, executable, [program, ...words], onEvent) {
    this.#child = spawn(executable, [program, ...words], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    const killAtOnce = () => this.#child.kill('SIGKILL');
    process.on('exit', killAtOnce);
    this.ended = once(this.#child, 'exit').catch((error) => error).finally(() => process.off('exit', killAtOnce));
    scope.defer(() => this.stop());
    this.#child.stdin.on('error', () => {}); // It has ended, and `ended` says so.
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      this.#output += text;
      this.#tellLine();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => { this.#complaints += text; });
    let pending = '';
    this.#child.stdio[3].setEncoding('utf8').on('data', (text) => {
      const lines = (pending + text).split('\n');
      pending = lines.pop();
      for (const line of lines) this.#take(JSON.parse(line), onEvent);
    });
  }

  #take(event, onEvent) {
    if (event.kind === 'memory') this.#answers.shift()(Buffer.from(event.bytes, 'hex'));
    else onEvent(event);
  }

  #tellLine() {
    const end = this.#output.indexOf('\n');
    if (end !== -1) this.#lineWaiters.splice(0).forEach((tell) => tell(this.#output.slice(0, end)));
  }

  /** What the server and the tracer have written to stderr. */
  get complaints() {
    return this.#complaints.trim();
  }

  /** The first line that the server writes to stdout. */
  readLine() {
    return new Promise((resolve) => {
      this.#lineWaiters.push(resolve);
      this.#tellLine();
    });
  }

  /** The thread goes on until its next stop. */
  go(thread) {
    this.#child.stdin.write(`go ${thread}\n`);
  }

  /** `length` bytes at the address of a process that is held, or fewer where its memory ends. */
  read(process_, address, length) {
    this.#child.stdin.write(`read ${process_} ${address} ${length}\n`);
    return new Promise((resolve) => { this.#answers.push(resolve); });
  }

  /** From now on suspend, resume and destroy of coroutines are told. */
  watchCoroutines(process_) {
    this.#child.stdin.write(`coroutines ${process_}\n`);
  }

  /** Ends the tracer, and with it all that it holds. */
  async stop() {
    this.#child.stdin.end();
    await this.ended;
  }
}

/** Throws Unavailable, with what to do about it, where a program may not be traced here. */
export async function demandTracing(scope, executable) {
  let isTraced = false;
  let tracer;
  try {
    tracer = new Tracer(scope, executable, ['/bin/true'], () => { isTraced = true; });
  } catch (error) {
    throw new Problem(`${executable} cannot be started: ${error.message}`);
  }
  const first = new Promise((resolve) => {
    const timer = setInterval(() => isTraced && resolve(), 5);
    tracer.ended.then(resolve).finally(() => clearInterval(timer));
  });
  await first;
  await tracer.stop();
  if (isTraced) return;
  const scopeOfYama = Number(readProc('sys/kernel/yama/ptrace_scope') ?? 0);
  const remedy = scopeOfYama >= 2
    ? `the setting kernel.yama.ptrace_scope is ${scopeOfYama}; allow it until the next boot: sudo sysctl kernel.yama.ptrace_scope=1`
    : 'a container needs the right to trace: docker run --cap-add SYS_PTRACE';
  throw new Unavailable(`no program may be traced here (${tracer.complaints || 'ptrace failed'}); ${remedy}`);
}
