// The edit script from one text to another, as rows, and hunks made of some of its rows.
//
// A row is {sign: ' ' | '-' | '+', text, oldLine, newLine}. Lines count from 1. For a row that is in one
// text only, the other text's number is that of the last line before it.

import { diffArrays } from 'diff';

const contextLines = 3;

export function compareTexts(oldLines, newLines) {
  const rows = orderRemovalsFirst(diffArrays(oldLines, newLines));
  slidePureBlocks(rows);
  numberLines(rows);
  return rows;
}

export function isChanged(row) {
  return row.sign !== ' ';
}

export function isBlank(row) {
  return row.text.trim() === '';
}

// Rows of each side's lines: rowOf.old[5] is the row that shows line 5 of the old text.
export function indexRows(rows) {
  const rowOf = { old: [], new: [] };
  rows.forEach((row, index) => {
    if (row.sign !== '+') rowOf.old[row.oldLine] = index;
    if (row.sign !== '-') rowOf.new[row.newLine] = index;
  });
  return rowOf;
}

function orderRemovalsFirst(changes) {
  const rows = [];
  let added = [];
  for (const change of changes) {
    const sign = change.added ? '+' : change.removed ? '-' : ' ';
    const changed = change.value.map((text) => ({ sign, text }));
    if (sign === '+') {
      added.push(...changed);
      continue;
    }
    if (sign === ' ') {
      rows.push(...added);
      added = [];
    }
    rows.push(...changed);
  }
  return [...rows, ...added];
}

function numberLines(rows) {
  let oldLine = 0;
  let newLine = 0;
  for (const row of rows) {
    if (row.sign !== '+') oldLine += 1;
    if (row.sign !== '-') newLine += 1;
    Object.assign(row, { oldLine, newLine });
  }
}

// A block of nothing but added lines (or nothing but removed ones) can often be placed in several ways:
// after a function's brace a new function ends in the same brace. Of these equal edit scripts, choose
// the one that a person would write: the block begins where something begins.
function slidePureBlocks(rows) {
  let start = 0;
  while (start < rows.length) {
    let end = start;
    while (end < rows.length && isChanged(rows[end]) === isChanged(rows[start])) end += 1;
    const isPure = isChanged(rows[start]) && rows.slice(start, end).every((row) => row.sign === rows[start].sign);
    start = isPure ? slideBlock(rows, start, end) : end;
  }
}

// Moves the block rows[start, end) to its best place; returns where the block ends then.
function slideBlock(rows, start, end) {
  const { sign } = rows[start];
  // One unchanged row stays between two blocks, so that removals still come before additions in each.
  const isFree = (index) => index >= 0 && index < rows.length && !isChanged(rows[index]);
  const keepsApart = (index) => index < 0 || index >= rows.length || !isChanged(rows[index]);
  const movesUp = (first, last) => isFree(first - 1) && keepsApart(first - 2) && rows[first - 1].text === rows[last - 1].text;
  const movesDown = (first, last) => isFree(last) && keepsApart(last + 1) && rows[last].text === rows[first].text;

  let up = 0;
  while (movesUp(start - up, end - up)) up += 1;
  let down = 0;
  while (movesDown(start + down, end + down)) down += 1;

  let best = { shift: 0, score: -Infinity };
  for (let shift = -up; shift <= down; shift++) {
    const score = scoreBlockStart(rows, start + shift);
    if (score >= best.score) best = { shift, score };
  }
  for (let index = start - up; index < end + down; index++) {
    const isInside = index >= start + best.shift && index < end + best.shift;
    rows[index].sign = isInside ? sign : ' ';
  }
  return end + best.shift;
}

function scoreBlockStart(rows, start) {
  const { text } = rows[start];
  const indent = text.search(/\S|$/);
  const followsBlank = start === 0 || isBlank(rows[start - 1]);
  if (isBlank(rows[start])) return 1000;
  if (followsBlank) return 3000 - indent;
  if (/^\s*[})\]]/.test(text)) return 0 - indent;
  return 2000 - indent;
}

// Adds up to three unchanged rows around each changed row of [first, last]. `clip` keeps the result
// inside that range; otherwise the context may lie outside, but never reaches over another change.
export function selectWithContext(rows, first, last, { clip }) {
  const lowest = clip ? first : 0;
  const highest = clip ? last : rows.length - 1;
  const selected = new Set();
  for (let index = first; index <= last; index++) {
    if (!isChanged(rows[index])) continue;
    selected.add(index);
    for (const step of [-1, 1]) {
      for (let distance = 1; distance <= contextLines; distance++) {
        const neighbour = index + step * distance;
        if (neighbour < lowest || neighbour > highest || isChanged(rows[neighbour])) break;
        selected.add(neighbour);
      }
    }
  }
  return selected;
}

// The lines of a unified diff that shows the selected rows. `nameHunk(first, last)` gives the text that
// follows the second @@. An unchanged blank line is an empty line here: editors and git's whitespace
// check would both object to a line of one blank.
export function renderHunks(rows, selected, nameHunk) {
  return trimBlankEnds(rows, groupIntoHunks(rows, selected)).flatMap(([first, last]) => {
    const shown = rows.slice(first, last + 1);
    const name = nameHunk(first, last);
    const header = `@@ -${describeSide(shown, '+', 'oldLine')} +${describeSide(shown, '-', 'newLine')} @@`;
    return [name ? `${header} ${name}` : header, ...shown.map((row) => `${row.sign}${row.text}`.trimEnd())];
  });
}

// "start,count"; where the side has no line in the hunk, its start is the line before, as diff(1) has it.
function describeSide(shown, absentSign, number) {
  const present = shown.filter((row) => row.sign !== absentSign);
  return `${(present[0] ?? shown[0])[number]},${present.length}`;
}

// Runs of selected rows. A gap of one unchanged line, or of unchanged blank lines, is shown rather than
// left out: a hunk header in its place would take as much room and say less.
function groupIntoHunks(rows, selected) {
  const hunks = [];
  for (const index of [...selected].sort((a, b) => a - b)) {
    const current = hunks.at(-1);
    const gap = current === undefined ? [] : rows.slice(current[1] + 1, index);
    const joins = current !== undefined && !gap.some(isChanged) && (gap.length <= 1 || gap.every(isBlank));
    if (joins) current[1] = index;
    else hunks.push([index, index]);
  }
  return hunks;
}

// A blank line at either end of a hunk tells a reader nothing, changed or not.
function trimBlankEnds(rows, hunks) {
  return hunks.flatMap(([first, last]) => {
    while (first <= last && isBlank(rows[first])) first += 1;
    while (first <= last && isBlank(rows[last])) last -= 1;
    return first <= last ? [[first, last]] : [];
  });
}
