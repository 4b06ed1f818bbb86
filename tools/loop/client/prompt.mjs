// Asks the reader while a server runs.

import { Problem } from '../../observe/problem.mjs';
import { becomesTrue } from '../../observe/waits.mjs';

const interval = 100; // ms between two looks at the server
const longest = 24 * 60 * 60 * 1000; // ms

export class Reader {
  #scope;
  #dialogue;
  #server;
  #answer = null; // what was asked for and has not come yet

  constructor(scope, dialogue, server) {
    this.#scope = scope;
    this.#dialogue = dialogue;
    this.#server = server;
  }

  /**
   * The next line of the reader, null at the end of the input; or undefined where `event` comes first. Throws what
   * `event` throws, and a Problem when the server ends before any of them.
   */
  async next(event = new Promise(() => {})) {
    // A line that was asked for before an event came is still awaited.
    if (this.#answer === null) this.#answer = this.#dialogue.ask('> ');
    else this.#dialogue.output.write('> ');
    let isOver = false;
    const ended = becomesTrue(() => isOver || this.#server.describeEnd() !== null, longest, interval).then(() => {
      throw new Problem(`${this.#server.name} ${this.#server.describeEnd()}`);
    });
    const answered = this.#answer.then((line) => {
      if (!isOver) this.#answer = null;
      return line;
    });
    const happened = event.then(() => undefined);
    for (const promise of [ended, happened]) promise.catch(() => {}); // Of those that come too late nobody wants to know.
    try {
      // When the scope ends, so does the input; but that is no answer.
      return await Promise.race([this.#scope.stopped, answered, happened, ended]);
    } finally {
      isOver = true;
      if (this.#answer !== null) this.#dialogue.say(); // Ends the line of the prompt.
    }
  }
}
