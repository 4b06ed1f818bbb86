// What can be said of the rows of an edit script beside plus and minus: which lines have only moved, and which words of a line are others.

import { diffArrays } from 'diff';

// As git's --color-moved: fewer letters and digits than these are no move, but two lines that happen to be alike.
const leastOfMove = 20;

/**
 * The rows that have only moved, within a file or into another; a change of the indent is no other line.
 * @param {Array<Array<object>>} files the rows of each file, as compareTexts makes them
 * @returns {Set<object>} rows of both signs
 */
export function findMoves(files) {
  const removed = files.flatMap((rows) => listRuns(rows, '-'));
  const added = files.flatMap((rows) => listRuns(rows, '+'));
  const places = new Map();
  removed.forEach((run, at) => run.forEach((row, index) => {
    const text = row.text.trim();
    if (text !== '') places.set(text, [...(places.get(text) ?? []), { at, index }]);
  }));
  const moved = new Set();
  for (const run of added) {
    for (let index = 0; index < run.length;) {
      const best = longestMatch(run, index, removed, places, moved);
      if (best.length === 0) {
        index += 1;
        continue;
      }
      best.rows.forEach((row) => moved.add(row));
      index += best.length;
    }
  }
  return moved;
}

// Runs of rows of one sign. A blank row between two of them does not end a run.
function listRuns(rows, sign) {
  const runs = [];
  let isOpen = false;
  for (const row of rows) {
    if (row.sign === sign) {
      if (!isOpen) runs.push([]);
      runs.at(-1).push(row);
    }
    isOpen = row.sign === sign;
  }
  return runs;
}

function longestMatch(run, start, removed, places, taken) {
  let best = { length: 0, rows: [] };
  for (const { at, index } of places.get(run[start].text.trim()) ?? []) {
    const old = removed[at];
    let length = 0;
    while (start + length < run.length && index + length < old.length
      && old[index + length].text.trim() === run[start + length].text.trim() && !taken.has(old[index + length])) length += 1;
    const rows = [...run.slice(start, start + length), ...old.slice(index, index + length)];
    if (length > best.length && countLetters(run.slice(start, start + length)) >= leastOfMove) best = { length, rows };
  }
  return best;
}

const countLetters = (rows) => rows.reduce((sum, { text }) => sum + text.replace(/[^\p{L}\p{N}]/gu, '').length, 0);

// Longer runs are two texts that have nothing to do with each other.
const longestRun = 40;
const leastAlike = 0.5;

/**
 * For a run of removed and added rows, the ranges of each line's text that are others than in its partner on the other side:
 * Map(row -> [[start, end]...]). A row that has no partner that is like it is not in the map.
 */
export function findMarks(removed, added, moved = new Set()) {
  const marks = new Map();
  const [olds, news] = [removed, added].map((rows) => rows.filter((row) => !moved.has(row) && row.text.trim() !== ''));
  if (olds.length === 0 || news.length === 0 || olds.length > longestRun || news.length > longestRun) return marks;
  for (const [old, fresh] of pairAlike(olds, news)) {
    const ranges = compareWords(old.text, fresh.text);
    marks.set(old, ranges.old);
    marks.set(fresh, ranges.new);
  }
  return marks;
}

// The pairs, in order, whose likeness is greatest in sum.
function pairAlike(olds, news) {
  const likeness = olds.map((old) => news.map((fresh) => measureLikeness(old.text, fresh.text)));
  const best = Array.from({ length: olds.length + 1 }, () => Array(news.length + 1).fill(0));
  for (let i = olds.length - 1; i >= 0; i--) {
    for (let j = news.length - 1; j >= 0; j--) {
      const pair = likeness[i][j] >= leastAlike ? likeness[i][j] + best[i + 1][j + 1] : 0;
      best[i][j] = Math.max(pair, best[i + 1][j], best[i][j + 1]);
    }
  }
  const pairs = [];
  for (let [i, j] = [0, 0]; i < olds.length && j < news.length;) {
    if (likeness[i][j] >= leastAlike && best[i][j] === likeness[i][j] + best[i + 1][j + 1]) pairs.push([olds[i++], news[j++]]);
    else if (best[i][j] === best[i + 1][j]) i += 1;
    else j += 1;
  }
  return pairs;
}

const splitWords = (text) => text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];

// How much of both lines is the same, by the letters of their words: from 0 to 1. Order does not count.
function measureLikeness(a, b) {
  const count = new Map();
  const words = (text) => splitWords(text).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const [first, second] = [words(a), words(b)];
  const size = (list) => list.reduce((sum, word) => sum + word.length, 0);
  if (size(first) + size(second) === 0) return a.trim() === b.trim() ? 1 : 0;
  for (const word of first) count.set(word, (count.get(word) ?? 0) + 1);
  let same = 0;
  for (const word of second) {
    if (!count.get(word)) continue;
    count.set(word, count.get(word) - 1);
    same += 2 * word.length;
  }
  return same / (size(first) + size(second));
}

function compareWords(old, fresh) {
  const ranges = { old: [], new: [] };
  const place = { old: 0, new: 0 };
  for (const { added, removed, value } of diffArrays(splitWords(old), splitWords(fresh))) {
    const length = value.join('').length;
    for (const side of ['old', 'new']) {
      if ((side === 'old' && added) || (side === 'new' && removed)) continue;
      if (added || removed) addRange(ranges[side], place[side], place[side] + length);
      place[side] += length;
    }
  }
  return { old: closeGaps(leaveIndent(ranges.old, old), old), new: closeGaps(leaveIndent(ranges.new, fresh), fresh) };
}

// Another indent is no other word.
function leaveIndent(ranges, text) {
  const indent = text.search(/\S|$/);
  return ranges.map(([start, end]) => [Math.max(start, indent), end]).filter(([start, end]) => start < end);
}

function addRange(ranges, start, end) {
  if (ranges.at(-1)?.[1] === start) ranges.at(-1)[1] = end;
  else ranges.push([start, end]);
}

// Two marks with only a blank between them are read as one.
function closeGaps(ranges, text) {
  const closed = [];
  for (const range of ranges) {
    const last = closed.at(-1);
    if (last && text.slice(last[1], range[0]).trim() === '') last[1] = range[1];
    else closed.push([...range]);
  }
  return closed;
}
