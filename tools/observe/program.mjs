// The frame of a tool: exit codes, and the promise that whatever was started is ended again.

import { constants } from 'node:os';
import { Problem, UsageProblem } from './problem.mjs';

const fatalSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

class Interrupted extends Error {
  constructor(signal) {
    super(signal);
    this.exitCode = 128 + constants.signals[signal]; // as a shell reports it
  }
}

/** Remembers how to end what a tool has started, and does it in reverse order. */
export class Scope {
  #endings = [];
  #closed = false;
  #interrupt;
  #finish;
  /** Ends before main() has: fulfilled by finish(), rejected by interrupt(). */
  stopped = new Promise((resolve, reject) => {
    this.#finish = resolve;
    this.#interrupt = reject;
  });

  constructor() {
    this.stopped.catch(() => {}); // Waited for in a race that may be over already.
  }

  /** Makes the tool end as if its work were done. */
  finish() {
    this.#finish();
  }

  /** Makes the tool end as if the signal had come. */
  interrupt(signal) {
    this.#interrupt(new Interrupted(signal));
  }

  /** `end` runs when the tool ends, for whatever reason; at once when it is ending already. */
  defer(end) {
    if (this.#closed) return end();
    this.#endings.push(end);
  }

  async close() {
    this.#closed = true;
    for (const end of this.#endings.splice(0).reverse()) {
      // One ending that fails must not keep the others from running.
      await Promise.resolve().then(end).catch((error) => process.stderr.write(`while ending: ${error.message}\n`));
    }
  }
}

/**
 * Runs `main(scope)` and exits the process when it ends, or when SIGINT, SIGTERM or SIGHUP comes; in
 * every case after everything that was deferred to the scope. A main() that has said itself what is wrong sets
 * process.exitCode.
 */
export async function runTool(name, usage, main) {
  const scope = new Scope();
  for (const signal of fatalSignals) process.on(signal, () => scope.interrupt(signal));
  let failure = null;
  process.stdout.on('error', (error) => {
    // `| head` closes our stdout when it has seen enough: that is no failure, and the end of the work.
    if (error.code === 'EPIPE') return scope.finish();
    failure ??= new Problem(`cannot write to stdout: ${describeSystemError(error)}`);
    scope.finish();
  });
  try {
    // `async` so that an exception of main's first lines also becomes a rejection.
    const running = (async () => main(scope))();
    running.catch(() => {}); // After an interruption its failure is no news.
    await Promise.race([running, scope.stopped]);
  } catch (error) {
    failure ??= error;
  }
  await scope.close();
  await new Promise((resolve) => setImmediate(resolve)); // What was written last may have failed: that is told a moment later.
  // Not before: a picture that takes the whole terminal would take the explanation with it.
  if (failure !== null) explain(failure, name, usage);
  process.exit(failure === null ? process.exitCode ?? 0 : failure.exitCode ?? 1);
}

/** `no space left on device`, and where there is one, the path: what the C library says, without Node's names for it. */
export function describeSystemError(error) {
  const words = /^[A-Z0-9]+: ([^,]*)/.exec(error.message)?.[1] ?? error.message;
  return error.path === undefined ? words : `${error.path}: ${words}`;
}

function findWords(error) {
  if (error instanceof Problem) return error.message;
  return error.syscall === undefined ? error.stack : `${error.syscall} ${describeSystemError(error)}`;
}

function explain(error, name, usage) {
  if (error instanceof Interrupted) return;
  process.stderr.write(`${name}: ${findWords(error)}\n`);
  if (!(error instanceof UsageProblem)) return;
  // ./learn hands down how it is itself called: that is what the learner has typed.
  const learnUsage = process.env.LEARN_USAGE;
  process.stderr.write(learnUsage ? `usage: ${learnUsage}   (more: ./learn help ${name})\n` : `usage: ${usage}\n`);
}
