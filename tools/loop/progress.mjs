// What a learner has done, remembered: a journal of lines, one for each answer, guess, bug and run of the tests, in a file.

import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeSystemError } from '../observe/program.mjs';
import { firstLine, Journal } from './journal.mjs';

export { fields, intervals, kinds, nameOf, readLine, results, writeLine } from './journal.mjs';

/** Identifies a text by its words: spaces, line breaks and Markdown's emphasis make no difference. 12 hex digits. */
export function hashOf(text) {
  const words = text.replace(/[*_`]/g, '').replace(/\s+/g, ' ').trim();
  return createHash('sha256').update(words).digest('hex').slice(0, 12);
}

export class Progress extends Journal {
  #file;
  #warn;
  /** The first thing that could not be read or written, in a sentence; null as long as all could. */
  complaint = null;

  /**
   * Reads the journal below `root`. `warn` is told, in a sentence and once, when something cannot be written; nothing
   * that was answered is lost by it in this session. `now` gives the time in ms.
   */
  constructor(root, { warn = (text) => process.stderr.write(`${text}\n`), now = Date.now } = {}) {
    super('', { now });
    this.#file = join(root, '.learn/progress.tsv');
    this.#warn = warn;
    try {
      this.read(readFileSync(this.#file, 'utf8'));
    } catch (error) {
      if (error.code !== 'ENOENT') this.#complain('cannot read what you have done so far', error);
    }
  }

  get path() {
    return this.#file;
  }

  // One write for all of it, to the end of the file: two at once do not mix their lines. A last line that was torn, as
  // when a disk was full, keeps its place, and the new ones begin on a line of their own.
  append(text) {
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      const file = openSync(this.#file, 'a+');
      try {
        const { size } = fstatSync(file);
        const last = Buffer.alloc(1);
        if (size > 0) readSync(file, last, 0, 1, size - 1);
        const before = size === 0 ? firstLine : last.toString() === '\n' ? '' : '\n';
        appendFileSync(file, before + text);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      this.#complain('cannot write down what you do', error, '; it counts until you leave');
    }
  }

  #complain(words, { message }, consequence = '') {
    const text = `${words}, in ${this.#file}: ${describeSystemError({ message })}`;
    if (this.complaint === null) this.#warn(`${text}${consequence}`);
    this.complaint ??= text;
  }
}
