// A conversation in a plain terminal: a line is said, a line is answered. Answers may come from a pipe as well.

import { createInterface } from 'node:readline';
import { isCapable, makePainter } from '../observe/colour.mjs';

const widest = 100; // columns: longer lines are hard to read

/** The width to which text is wrapped: that of the terminal, or `widest`. */
export function findWidth(stream = process.stdout) {
  return Math.max(40, Math.min(widest, stream.columns || 80));
}

/**
 * Wraps the paragraphs of a text, which empty lines part. Lines that begin with a space, a bar or a sign of a list keep
 * their beginning, and what is wrapped of them is set in by as much.
 */
export function wrap(text, width = findWidth()) {
  return text.split('\n').map((line) => wrapLine(line, width)).join('\n');
}

// Columns: what sets a colour takes none. (A letter outside of Latin may take two; the texts have none.)
const measure = (text) => text.replace(/\x1b\[[0-9;]*m/g, '').length;

function wrapLine(line, width) {
  if (measure(line) <= width) return line;
  const [first] = /^\s*(?:[-*] |[A-Z]\. |\d+\. )?/.exec(line);
  const rows = [];
  let row = first;
  let isEmpty = true;
  for (const word of line.slice(first.length).split(/ +/)) {
    if (!isEmpty && measure(row) + 1 + measure(word) > width) {
      rows.push(row);
      row = ' '.repeat(first.length);
      isEmpty = true;
    }
    row += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...rows, row].join('\n');
}

export class Dialogue {
  #lines;
  #waiting = [];
  #answers = [];
  #hasEnded = false;
  paint;

  /** Reads answers from `input` until the scope (tools/observe/program.mjs) ends; Ctrl-C interrupts the scope. */
  constructor(scope, { input = process.stdin, output = process.stdout, plain = false } = {}) {
    this.output = output;
    this.paint = makePainter({ plain, stream: output });
    // The terminal edits the line itself (erase, Ctrl-U, paste): plain to a screen reader, and nothing is drawn over.
    this.#lines = createInterface({ input, terminal: false });
    this.#lines.on('line', (line) => this.#take(line));
    this.#lines.on('close', () => {
      this.#hasEnded = true;
      for (const resolve of this.#waiting.splice(0)) resolve(null);
    });
    scope.defer(() => {
      this.#lines.close();
      input.unref?.();
    });
    this.isInteractive = Boolean(input.isTTY) && isCapable(output);
    this.isFromTerminal = Boolean(input.isTTY);
  }

  #take(line) {
    const resolve = this.#waiting.shift();
    if (resolve) resolve(line);
    else this.#answers.push(line);
  }

  /** Writes a text, wrapped, and ends its line. */
  say(text = '') {
    this.output.write(`${wrap(text, findWidth(this.output))}\n`);
  }

  /** Writes a text as it is: code, a diff, a table. */
  show(text) {
    this.output.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /**
   * The next line, without spaces around it; null at the end of the input (Ctrl-D). What came from a pipe is repeated
   * after the prompt, so that what stands in a file reads as a conversation.
   */
  async ask(prompt) {
    this.output.write(prompt);
    const line = await new Promise((resolve) => {
      if (this.#answers.length > 0) resolve(this.#answers.shift());
      else if (this.#hasEnded) resolve(null);
      else this.#waiting.push(resolve);
    });
    if (line === null) this.output.write('\n');
    else if (!this.isFromTerminal) this.output.write(`${line.trim()}\n`);
    return line === null ? null : line.trim();
  }
}
