// What a `diff` marker shows: the rows of a file's edit script that its anchors choose.

import { describeItem, describeLine, findItem, findTextLine, readAnchors } from './anchors.mjs';
import { isCppPath } from './cpp-ranges.mjs';
import { compareTexts, indexRows, isBlank, isChanged, renderHunks, selectWithContext } from './edits.mjs';
import { Problem } from './problem.mjs';

// A function or type of at most this many lines is shown whole: it reads better so.
const wholeItemLines = 30;

const otherSide = { old: 'new', new: 'old' };
const ownSign = { old: '-', new: '+' };
const lineKey = { old: 'oldLine', new: 'newLine' };

// One file in two neighbouring chapters. A side where the file is missing is a source without lines.
export class FileDiff {
  constructor(file, oldSource, newSource) {
    this.file = file;
    this.sources = { old: oldSource, new: newSource };
    this.rows = compareTexts(oldSource.lines, newSource.lines);
    this.rowOf = indexRows(this.rows);
  }

  // The rows that a reader must be shown; a blank line changes nothing.
  get demandedRows() {
    return this.rows.flatMap((row, index) => (isChanged(row) && !isBlank(row) ? [index] : []));
  }

  // The rows that the anchors show, each anchor being worth its place.
  select(anchors) {
    const selected = new Set();
    for (const anchor of anchors) this.#selectOne(anchor).forEach((index) => selected.add(index));
    return selected;
  }

  // Given rows with context around each of them.
  selectRows(indexes) {
    const selected = new Set();
    for (const row of indexes) selectWithContext(this.rows, row, row, { clip: false }).forEach((index) => selected.add(index));
    return selected;
  }

  #selectOne(anchor) {
    if (anchor.kind === 'text') return this.#selectText(anchor);
    if (anchor.kind === 'fn' || anchor.kind === 'type') return this.#selectItem(anchor);
    throw new Problem(`${anchor.kind}: is not for diffs; use fn:, type:, old-fn:, old-type: or a text in quotes`);
  }

  #selectItem(anchor) {
    const { side } = anchor;
    const item = this.#findItem(anchor);
    const [first, last] = this.#extendRange(item, side);
    this.#demandChange(first, last, describeItem(this.sources[side], item, side === 'old' ? 'old-' : ''));
    const isShort = item.last - item.first < wholeItemLines;
    return isShort ? rangeOf(first, last) : selectWithContext(this.rows, first, last, { clip: true });
  }

  #findItem(anchor) {
    const { side, kind, name } = anchor;
    if (!isCppPath(this.file)) throw new Problem(`${kind}: needs a C++ file; use a text in quotes for ${this.file}`);
    try {
      return findItem(this.sources[side], anchor);
    } catch (error) {
      const there = this.#allItems(otherSide[side]).some((item) => item.kind === kind && item.name === name);
      if (!there || !(error instanceof Problem)) throw error;
      const prefix = side === 'new' ? 'old-' : '';
      throw new Problem(`${error.message}. ${this.sources[otherSide[side]].path} has it: write ${prefix}${kind}:${name}, or the new name`);
    }
  }

  // An item's rows reach as far as the lines of the same item on the other side that touch them: the
  // old first line of a changed signature stands before the new one.
  #extendRange(item, side) {
    const belongs = (index) => {
      const row = this.rows[index];
      if (row === undefined || !isChanged(row)) return false;
      return row.sign === ownSign[otherSide[side]] && this.#isInside(row[lineKey[otherSide[side]]], otherSide[side], item);
    };
    let first = this.rowOf[side][item.first];
    let last = this.rowOf[side][item.last];
    while (belongs(first - 1)) first -= 1;
    while (belongs(last + 1)) last += 1;
    return [first, last];
  }

  #isInside(line, side, { kind, name }) {
    return this.#allItems(side).some((item) => item.kind === kind && item.name === name && item.first <= line && line <= item.last);
  }

  #allItems(side) {
    return isCppPath(this.file) ? this.sources[side].items : [];
  }

  // Blank lines that change are nothing to show for themselves.
  #demandChange(first, last, what) {
    if (this.rows.slice(first, last + 1).some((row) => isChanged(row) && !isBlank(row))) return;
    throw new Problem(`nothing changes in ${what} of ${this.file}; take this anchor out, or show the code with a code marker`);
  }

  // From line to line; a text alone stands for the whole change that it is part of.
  #selectText({ from, to }) {
    if (!to) return this.#selectChangeAt(from);
    let [first, last] = [this.#findTextRow(from), this.#findTextRow(to)];
    if (first > last) {
      // Nobody who looks at the two files can tell which of an old and a new line comes first in the diff.
      if (from.side === to.side) throw new Problem(`"${to.text}" comes before "${from.text}" in ${this.file}; exchange the two`);
      [first, last] = [last, first];
    }
    this.#demandChange(first, last, `"${from.text}" .. "${to.text}"`);
    return selectWithContext(this.rows, first, last, { clip: false });
  }

  #selectChangeAt(place) {
    let first = this.#findTextRow(place);
    let last = first;
    this.#demandChange(first, last, `the line with "${place.text}"`);
    while (first > 0 && isChanged(this.rows[first - 1])) first -= 1;
    while (last + 1 < this.rows.length && isChanged(this.rows[last + 1])) last += 1;
    return selectWithContext(this.rows, first, last, { clip: false });
  }

  #findTextRow({ side, text }) {
    return this.rowOf[side][findTextLine(this.sources[side], text)];
  }

  render(selected) {
    return renderHunks(this.rows, selected, (first, last) => this.#nameHunk(first, last));
  }

  // The signature of the function or type that the hunk's first changed line is in; of a change outside
  // of all, that which the hunk begins in.
  #nameHunk(first, last) {
    const rows = this.rows.slice(first, last + 1);
    const item = [...rows.filter(isChanged), rows[0]].map((row) => this.#itemsOfRow(row).at(-1)).find(Boolean);
    return item?.signature ?? '';
  }

  // Outermost first.
  #itemsOfRow(row) {
    const side = sideOf(row);
    const line = row[lineKey[side]];
    return this.#allItems(side).filter((item) => item.first <= line && line <= item.last);
  }

  // An anchor that would show this uncovered row, and all the rows that it would show. Every choice is
  // tried as a reader would write it.
  suggestFor(index, uncovered) {
    const choices = [...this.#itemChoices(this.rows[index]), ...this.#textChoices(index, uncovered)];
    for (const text of choices) {
      const selected = this.#trySelect(text);
      if (selected?.has(index)) return { text, selected };
    }
    return { text: 'rest', selected: this.selectRows(uncovered) };
  }

  // A removed line of a function that still exists is best shown with the new one.
  #itemChoices(row) {
    const side = sideOf(row);
    const items = this.#itemsOfRow(row);
    const describe = (item) => describeItem(this.sources[side], item, side === 'old' ? 'old-' : '');
    if (side === 'new') return items.map(describe);
    return [...items.map((item) => `${item.kind}:${item.name}`), ...items.map(describe)];
  }

  // From the first to the last line of the run of uncovered rows that begins here, or this line alone.
  #textChoices(index, uncovered) {
    let end = index;
    while (uncovered.has(end + 1)) end += 1;
    const from = this.#describeRow(this.rows[index]);
    const to = this.#describeRow(this.rows[end]);
    return [from && to && from !== to ? `${from} .. ${to}` : undefined, from].filter(Boolean);
  }

  #describeRow(row) {
    const side = sideOf(row);
    const text = describeLine(this.sources[side], row[lineKey[side]]);
    return text && (side === 'old' ? '-' : '+') + text;
  }

  #trySelect(text) {
    try {
      return this.select(readAnchors(text));
    } catch (error) {
      if (error instanceof Problem) return undefined; // not there, or ambiguous: the next choice will do
      throw error;
    }
  }
}

function sideOf(row) {
  return row.sign === '-' ? 'old' : 'new';
}

function rangeOf(first, last) {
  return new Set(Array.from({ length: last - first + 1 }, (_, offset) => first + offset));
}
