// Colours code: each line as a list of class and text in turn, made with shiki from the whole of a text and kept by its hash.
//
// The classes are few, and a stylesheet gives them their colours, so a page has none in its text:
//   k keyword   t type   f function   s string   n number   c comment   p preprocessor line   '' anything else

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { splitLines } from '../../docs/lib/cpp-ranges.mjs';
import { grammars, version } from './grammars.mjs';

export class Highlighter {
  #folder;
  #known = new Map();

  /** `folder` keeps what has been coloured, for the next time. */
  constructor(folder) {
    this.#folder = folder;
  }

  /**
   * Colours all of these {text, language}, those that are not known yet on all processors; `tell(done, all)` is told how far it is.
   * A language without a grammar stays plain.
   */
  async prepare(items, tell = () => {}) {
    const wanted = new Map();
    for (const { text, language } of items) {
      const key = keyOf(text, language);
      if (!grammars[language] || this.#known.has(key) || wanted.has(key)) continue;
      const kept = this.#readKept(key);
      if (kept) this.#known.set(key, kept);
      else wanted.set(key, { key, text, language });
    }
    if (wanted.size === 0) return;
    // The longest first, so that none is left for the end alone.
    const queue = [...wanted.values()].sort((a, b) => b.text.length - a.text.length);
    const all = queue.length;
    let done = 0;
    const count = Math.min(queue.length, Math.max(1, os.availableParallelism?.() ?? os.cpus().length));
    mkdirSync(this.#folder, { recursive: true });
    await Promise.all(Array.from({ length: count }, () => runWorker(queue, ({ key, lines }) => {
      this.#known.set(key, lines);
      writeFileSync(join(this.#folder, key), JSON.stringify(lines));
      done += 1;
      tell(done, all);
    })));
  }

  #readKept(key) {
    try {
      return JSON.parse(readFileSync(join(this.#folder, key), 'utf8'));
    } catch {
      return undefined; // not there, or torn: it is made anew
    }
  }

  /** Takes what no text of this run needed out of the folder. */
  forgetUnused() {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder)) if (!this.#known.has(name)) rmSync(join(this.#folder, name), { force: true });
  }

  /** The lines of a text that has been prepared; plain where its language has no grammar. */
  lines(text, language) {
    if (!grammars[language]) return splitLines(text).map((line) => ['', line]);
    const lines = this.#known.get(keyOf(text, language));
    if (!lines) throw new Error(`this ${language} text has not been prepared: ${text.slice(0, 60)}`);
    return lines;
  }
}

function keyOf(text, language) {
  return createHash('sha256').update(`${version}\0${language}\0${text}`).digest('hex').slice(0, 32);
}

// Gives a worker one text after another until the queue is empty.
function runWorker(queue, take) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('highlight-worker.mjs', import.meta.url));
    const giveNext = () => {
      const next = queue.shift();
      if (next) worker.postMessage(next);
      else worker.terminate().then(() => resolve(), reject);
    };
    worker.on('message', (result) => {
      take(result);
      giveNext();
    });
    worker.on('error', reject);
    giveNext();
  });
}
