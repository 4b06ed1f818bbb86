// A patch of the stock: header lines, an empty line, and a unified diff against a chapter.

import { hashOf } from '../progress.mjs';
import { Problem } from '../../observe/problem.mjs';

/**
 * Reads a patch. Returns {headers: Map of name to words, diff: the text from its first file on, files: [{path, hunks}]};
 * `path` is within the chapter's folder. A hunk is {start, lines: [{sign: ' ' | '-' | '+', text}]}, `start` the line of
 * the old file at which it begins.
 */
export function parsePatch(text, name) {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith('--- '));
  if (first === -1) throw new Problem(`${name} is no patch: it has no line that begins with ---`);
  const headers = new Map(lines.slice(0, first).map((line) => /^([A-Z][a-z ]*): (.*)$/.exec(line)).filter(Boolean)
    .map(([, word, words]) => [word, words.trim()]));
  const files = [];
  for (let at = first; at < lines.length; at += 1) {
    const hunk = /^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@/.exec(lines[at]);
    if (lines[at].startsWith('--- ')) {
      const path = /^\+\+\+ b\/chapters\/[^/]+\/(\S+)/.exec(lines[at + 1] ?? '')?.[1];
      if (path === undefined) throw new Problem(`${name}: line ${at + 2} names no file of a chapter`);
      files.push({ path, isNew: lines[at].startsWith('--- /dev/null'), hunks: [] });
      at += 1;
    } else if (hunk && files.length > 0) {
      files.at(-1).hunks.push({ start: Number(hunk[1]), lines: [] });
    } else {
      // An editor may have taken the blank of an empty context line away.
      const [sign, words] = lines[at] === '' ? [' ', ''] : [lines[at][0], lines[at].slice(1)];
      if (' -+'.includes(sign)) files.at(-1).hunks.at(-1)?.lines.push({ sign, text: words });
    }
  }
  for (const { hunks } of files) dropTail(hunks);
  return { headers, diff: lines.slice(first).join('\n'), files };
}

// The line break at the patch's end, and the empty lines behind it, are no lines of a hunk.
function dropTail(hunks) {
  const lines = hunks.at(-1)?.lines ?? [];
  while (lines.length > 0 && lines.at(-1).sign === ' ' && lines.at(-1).text === '') lines.pop();
}

/** Identifies what a patch changes. Where it stands, the lines around it and what is said of it make no difference. */
export function hashOfPatch({ files }) {
  return hashOf(files.flatMap(({ path, hunks }) => [path, ...hunks.flatMap(({ lines }) => lines
    .filter(({ sign }) => sign !== ' ').map(({ sign, text }) => `${sign} ${text}`))]).join('\n'));
}

/**
 * Puts hunks on a text. Returns {text, changes, hunkLines}, or null where they do not fit. `changes` has an entry for
 * each run of changed lines: {from, to} are the numbers of the lines that it brought (to < from where it brought none),
 * {came, went} their texts; `hunkLines` is the set of the numbers of all lines of the hunks. Lines count from 1, in the
 * new text.
 */
export function applyHunks(text, hunks) {
  const old = text.split('\n');
  const fresh = [];
  const changes = [];
  const hunkLines = new Set();
  let taken = 0; // lines of the old text
  for (const { start, lines } of hunks) {
    const wanted = lines.filter(({ sign }) => sign !== '+').map((line) => line.text);
    const at = findLines(old, wanted, Math.max(start - 1, 0), taken);
    if (at === -1) return null;
    fresh.push(...old.slice(taken, at));
    const first = fresh.length + 1;
    let run = null;
    for (const { sign, text: words } of lines) {
      if (sign === ' ') run = null;
      else if (run === null) {
        run = { from: fresh.length + 1, to: fresh.length, came: [], went: [] };
        changes.push(run);
      }
      if (sign === '-') run.went.push(words);
      else fresh.push(words);
      if (sign === '+') {
        run.came.push(words);
        run.to = fresh.length;
      }
    }
    for (let line = first; line <= fresh.length; line += 1) hunkLines.add(line);
    taken = at + wanted.length;
  }
  return { text: [...fresh, ...old.slice(taken)].join('\n'), changes, hunkLines };
}

// Where `wanted` stands in `lines`, from `lowest` on: the place that is nearest to `expected`, or -1.
function findLines(lines, wanted, expected, lowest) {
  const fits = (at) => at >= lowest && at + wanted.length <= lines.length && wanted.every((line, index) => lines[at + index] === line);
  for (let distance = 0; distance <= lines.length; distance += 1) {
    if (fits(expected + distance)) return expected + distance;
    if (fits(expected - distance)) return expected - distance;
  }
  return -1;
}

/** The hunks the other way round, as text: from what the patch makes back to what it was made for. */
export function printReversed({ files }) {
  return files.map(({ path, hunks }) => `${path}\n${hunks.map((hunk) => printHunk(reverse(hunk.lines))).join('  ...\n')}`).join('\n');
}

const printHunk = (lines) => lines.map(({ sign, text }) => `${sign}${text}`.trimEnd() + '\n').join('');

// What goes stands before what comes, in each run of changes.
function reverse(lines) {
  const turned = [];
  let came = [];
  for (const { sign, text } of [...lines, { sign: ' ', text: null }]) {
    if (sign === '-') came.push({ sign: '+', text });
    else if (sign === '+') turned.push({ sign: '-', text });
    else {
      turned.push(...came);
      came = [];
      if (text !== null) turned.push({ sign, text });
    }
  }
  return turned;
}
