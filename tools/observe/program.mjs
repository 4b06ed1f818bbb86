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
 * every case after everything that was deferred to the scope.
 */
export async function runTool(name, usage, main) {
  const scope = new Scope();
  for (const signal of fatalSignals) process.on(signal, () => scope.interrupt(signal));
  // `| head` closes our stdout: nobody reads on, so end.
  process.stdout.on('error', () => scope.interrupt('SIGPIPE'));
  let exitCode = 0;
  try {
    // `async` so that an exception of main's first lines also becomes a rejection.
    const running = (async () => main(scope))();
    running.catch(() => {}); // After an interruption its failure is no news.
    await Promise.race([running, scope.stopped]);
  } catch (error) {
    exitCode = error.exitCode ?? 1;
    explain(error, name, usage);
  }
  await scope.close();
  process.exit(exitCode);
}

function explain(error, name, usage) {
  if (error instanceof Interrupted) return;
  const isExpected = error instanceof Problem;
  process.stderr.write(`${name}: ${isExpected ? error.message : error.stack}\n`);
  if (!(error instanceof UsageProblem)) return;
  // ./learn hands down how it is itself called: that is what the learner has typed.
  const learnUsage = process.env.LEARN_USAGE;
  process.stderr.write(learnUsage ? `usage: ${learnUsage}   (more: ./learn help ${name})\n` : `usage: ${usage}\n`);
}
