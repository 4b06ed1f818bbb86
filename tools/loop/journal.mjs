// The lines in which a learner's work is noted: ./learn keeps them in a file, and the book in a browser. Nothing here needs a file.

/**
 * The fields of a line, in their order, with tabs between them.
 *   time     when, in UTC, as 2026-01-31T12:00:00.000Z
 *   chapter  the chapter's name without its number: `fork`. Numbers change when a chapter is inserted
 *   kind     one of `kinds`
 *   id       what it was about, within the chapter and the kind: a question's hash, a bug's number; of a prediction the
 *            view, session and neighbour, too (predict/journal.mjs), since another command asks other questions
 *   hash     of its words as they stood then (see hashOf): another hash says that it has changed since; '-' where none fits
 *   result   one of `results[kind]`
 *   number   hints that were taken (bug, exercise), how sure the learner was (predict: 1 to 3), answers it took (quiz),
 *            tests that failed (test); otherwise 0
 */
export const fields = ['time', 'chapter', 'kind', 'id', 'hash', 'result', 'number'];

export const results = {
  test: ['passed', 'failed'],
  predict: ['right', 'wrong'],
  quiz: ['right', 'wrong'],
  bug: ['begun', 'found', 'given-up'],
  exercise: ['begun', 'done', 'given-up'],
  guess: ['place', 'function', 'elsewhere'],
};

export const kinds = Object.keys(results);

/** Days after which something that was right is due again: once right, twice in a row, and so on. Wrong is due at once; given up after the first. */
export const intervals = [1, 3, 7, 21];

const day = 24 * 60 * 60 * 1000; // ms

/** What a journal begins with; a line that begins with # is a comment. */
export const firstLine = `# What you have done, for ./learn: a line each. ${fields.join(', ')}; lines are only ever added.\n`;

/** The chapter's name without its number: fork, of 03-fork. */
export const nameOf = (chapter) => chapter.replace(/^\d+-/, '');

/** The entry of a line, or null where it is none. */
export function readLine(line) {
  const values = line.split('\t');
  if (values.length !== fields.length) return null;
  const entry = Object.fromEntries(fields.map((field, index) => [field, values[index]]));
  const isRight = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(entry.time) && !Number.isNaN(Date.parse(entry.time))
    && entry.chapter !== '' && entry.id !== '' && /^(-|[0-9a-f]{12})$/.test(entry.hash) && /^\d{1,6}$/.test(entry.number)
    && results[entry.kind]?.includes(entry.result);
  return isRight ? { ...entry, number: Number(entry.number) } : null;
}

export function writeLine(entry) {
  const line = fields.map((field) => String(entry[field])).join('\t');
  if (readLine(line) === null) throw new Error(`no line of progress: ${line}`);
  return line;
}

/** The entries of a journal, in the order of their times. Where they are kept is the business of `append`, which a subclass has. */
export class Journal {
  #now;
  entries = []; // in the order of their times
  unread = []; // lines that are no entries: kept, and counted

  /** `text` is what has been kept so far; `now` gives the time in ms. */
  constructor(text = '', { now = Date.now } = {}) {
    this.#now = now;
    this.read(text);
  }

  /** Takes lines in as they were kept: nothing is appended. */
  read(text) {
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const entry = readLine(line);
      if (entry === null) this.unread.push(line);
      else this.entries.push(entry);
    }
    this.#sort();
  }

  #sort() {
    this.entries.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));
  }

  /** Called with what is new, lines with their ends, to be kept. Here nothing is. */
  append() {}

  /** Adds an entry, with the present time unless it has one, and keeps it at once. */
  add({ time = new Date(this.#now()).toISOString(), chapter, kind, id, hash = '-', result, number = 0 }) {
    const entry = { time, chapter: nameOf(chapter), kind, id: String(id), hash, result, number };
    const line = writeLine(entry);
    this.entries.push(entry);
    this.#sort();
    this.append(`${line}\n`);
    return entry;
  }

  /**
   * Adds the lines of another journal that are not here yet. Of the lines that cannot be read, those that begin as an
   * entry does (torn ones, and those of a later version) are added as well; what is no line of a journal is not.
   * Returns {added, known, unread: [line...], kept}: kept is how many of the unread ones are in this journal now.
   */
  merge(text) {
    const here = new Set([...this.entries.map(writeLine), ...this.unread]);
    const outcome = { added: 0, known: 0, unread: [], kept: 0 };
    const fresh = [];
    for (const line of text.split('\n').map((words) => words.replace(/\r$/, ''))) {
      if (line === '' || line.startsWith('#')) continue;
      const entry = readLine(line);
      if (entry === null) {
        outcome.unread.push(line);
        if (!/^\d{4}-\d\d-\d\dT\d\d:/.test(line)) continue;
        outcome.kept += 1;
        if (here.has(line)) continue;
        here.add(line);
        fresh.push(line);
        this.unread.push(line);
      } else if (here.has(line)) outcome.known += 1;
      else {
        here.add(line);
        fresh.push(line);
        this.entries.push(entry);
        outcome.added += 1;
      }
    }
    this.#sort();
    if (fresh.length > 0) this.append(`${fresh.join('\n')}\n`);
    return outcome;
  }

  /** All of it as text, sorted, each line once: what `sort -u` makes of it. */
  toText() {
    const lines = new Set([...this.entries.map(writeLine), ...this.unread]);
    return firstLine + [...lines].sort().map((line) => `${line}\n`).join('');
  }

  /** The entries about a chapter, a kind and an id, in the order of their times; each of them may be left out. */
  find({ chapter, kind, id } = {}) {
    const name = chapter === undefined ? undefined : nameOf(chapter);
    return this.entries.filter((entry) => (name === undefined || entry.chapter === name)
      && (kind === undefined || entry.kind === kind) && (id === undefined || entry.id === String(id)));
  }

  /**
   * When something is due again, in ms since 1970, by its entries of one id: at once after a wrong answer; after the
   * first of `intervals` where it was given up, since its patch has just been read; after a right answer after as many days
   * as `intervals` says. A right answer before that was due begins the same interval anew, and no longer one: three on one
   * evening are not three on three days. Infinity when it has not been answered yet.
   */
  dueAt({ chapter, kind, id, hash }) {
    const answers = this.find({ chapter, kind, id }).filter((entry) => entry.result !== 'begun' && (hash === undefined || entry.hash === hash));
    let [due, inARow] = [Infinity, 0];
    for (const { time, result } of answers) {
      const at = Date.parse(time);
      if (result === 'wrong') [due, inARow] = [at, 0];
      else if (result === 'given-up') [due, inARow] = [at + intervals[0] * day, 0];
      else {
        if (inARow === 0 || at >= due) inARow += 1;
        due = at + intervals[Math.min(inARow, intervals.length) - 1] * day;
      }
    }
    return due;
  }
}
