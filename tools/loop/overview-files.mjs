// Takes the journal elsewhere, and brings one from elsewhere here. No line is ever lost by it.

import { readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Problem } from '../observe/problem.mjs';
import { describeSystemError } from '../observe/program.mjs';
import { readLine } from './progress.mjs';
import { count } from './speech.mjs';

const from = () => process.env.LEARN_FROM ?? process.cwd();

const listLines = (text) => text.split('\n').map((line) => line.replace(/\r$/, '')).filter((line) => line !== '');

/** Writes the journal, sorted, to a file that the caller named from where he stands, or to stdout for `-`. Throws Problem. */
export function exportJournal(progress, name) {
  if (progress.complaint !== null) throw new Problem(`nothing is exported: ${progress.complaint}`);
  const text = progress.toText();
  if (name === '-') return process.stdout.write(text);
  const file = resolve(from(), name);
  const kept = statSync(file, { throwIfNoEntry: false });
  if (kept?.isDirectory()) throw new Problem(`${name} is a folder: name a file in it`);
  if (isSameFile(file, progress.path)) throw new Problem(`${name} is the journal itself: name another file`);
  if (kept?.isFile()) demandKnown(file, name, text);
  write(file, name, text, kept);
  process.stdout.write(`${count(progress.entries.length + progress.unread.length, 'line')} in ${name}; elsewhere: ./learn progress --import ${name}\n`);
}

const isSameFile = (a, b) => {
  const [one, other] = [a, b].map((file) => statSync(file, { throwIfNoEntry: false }));
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
};

// A file that is there is written over only where each of its lines is in what is written.
function demandKnown(file, name, text) {
  const known = new Set(listLines(text));
  const foreign = listLines(readWords(file, name)).filter((line) => !known.has(line));
  if (foreign.length === 0) return;
  if (!foreign.some((line) => readLine(line) !== null)) throw new Problem(`${name} is there already, and is no journal of ./learn: name another file`);
  throw new Problem(`${name} is there already, and has ${count(foreign.length, 'line')} that your journal has not: `
    + `bring them here first (./learn progress --import ${name}), or name another file`);
}

// Beside it and then in its place: a full disk or a Ctrl-C leaves the old one whole. What is no file is written to.
function write(file, name, text, kept) {
  const isFile = kept === undefined || kept.isFile();
  let fresh;
  try {
    if (!isFile) return writeFileSync(file, text);
    const target = kept === undefined ? file : realpathSync(file);
    fresh = `${target}.${process.pid}.new`;
    writeFileSync(fresh, text, { flag: 'wx', mode: kept?.mode });
    renameSync(fresh, target);
  } catch (error) {
    if (fresh !== undefined) rmSync(fresh, { force: true });
    throw new Problem(`cannot write ${name}: ${describeSystemError({ message: error.message })}`);
  }
}

function readWords(file, name) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'EISDIR') throw new Problem(`${name} is a folder: name a file in it`);
    throw new Problem(`cannot read ${name}: ${describeSystemError({ message: error.message })}`);
  }
}

/** Adds the lines of a file, or of stdin for `-`, that are not in the journal yet. Throws Problem. */
export function importJournal(progress, name) {
  if (progress.complaint !== null) throw new Problem(`nothing is imported: ${progress.complaint}`);
  const text = name === '-' ? readWords(0, 'what comes on stdin') : readWords(resolve(from(), name), name);
  const { added, known, unread, kept } = progress.merge(text);
  if (progress.complaint !== null) throw new Problem(`nothing is imported: ${progress.complaint}`);
  if (added + known + kept === 0 && unread.length > 0) throw new Problem(`${name === '-' ? 'what came on stdin' : name} is no journal of ./learn: it has ${count(unread.length, 'line')}, and none that can be read. Nothing is imported`);
  process.stdout.write(`${count(added, 'line')} added; ${known} ${known === 1 ? 'was' : 'were'} here already\n`);
  if (unread.length > 0) {
    process.stdout.write(`${count(unread.length, 'line')} cannot be read: ${kept === unread.length ? `kept as ${kept === 1 ? 'it is' : 'they are'}` : `${kept} kept, and ${unread.length - kept} left out, which do not begin as an entry does`}\n`);
  }
}
