// The rows of a diff as HTML: one text for both views. Unified, its lines stand one under the other; side by side, a stylesheet puts what
// was removed to the left and what was added to the right, and shows the copies of unchanged lines that stand here for the right side.

import { findMarks } from './changes.mjs';
import { escapeHtml, renderLine } from './html.mjs';

/** Unchanged lines that are left around a change where all others are folded. */
const context = 4;
const leastFolded = 6;

/**
 * @param {Array<object>} rows of compareTexts
 * @param {{old: Array, new: Array}} colours the coloured lines of both whole texts
 * @param {object} options
 *   moved    rows that have only moved
 *   folds    fold long stretches of unchanged lines; otherwise all rows are shown
 *   idOf     (row) an id for the row's line, or undefined
 *   wrap     as renderLine has it
 */
export function renderRows(rows, colours, { moved = new Set(), folds = false, idOf = () => undefined, wrap } = {}) {
  const runs = splitRuns(rows);
  return runs.map((run, index) => {
    if (run.isChanged) return renderChange(run.rows, colours, moved, idOf, wrap);
    if (!folds) return renderSame(run.rows, colours, idOf, wrap);
    const keepBefore = index === 0 ? 0 : context;
    const keepAfter = index === runs.length - 1 ? 0 : context;
    const middle = run.rows.slice(keepBefore, run.rows.length - keepAfter);
    if (run.rows.length - keepBefore - keepAfter < leastFolded) return renderSame(run.rows, colours, idOf, wrap);
    return renderSame(run.rows.slice(0, keepBefore), colours, idOf, wrap)
      + `<details class=same><summary>${middle.length} lines as they were</summary>${renderOnce(middle, colours, idOf, wrap)}</details>`
      + renderSame(keepAfter === 0 ? [] : run.rows.slice(-keepAfter), colours, idOf, wrap);
  }).join('');
}

function splitRuns(rows) {
  const runs = [];
  for (const row of rows) {
    const isChanged = row.sign !== ' ';
    if (runs.at(-1)?.isChanged !== isChanged) runs.push({ isChanged, rows: [] });
    runs.at(-1).rows.push(row);
  }
  return runs;
}

// Of a long stretch that is the same on both sides one copy is enough, and a page is lighter by the other.
function renderOnce(rows, colours, idOf, wrap) {
  const lines = rows.map((row) => {
    const code = renderLine(colours.new[row.newLine - 1] ?? ['', row.text], { wrap });
    return `<div class=l data-o=${row.oldLine} data-n=${row.newLine}${idAttribute(idOf(row))}> ${code}\n</div>`;
  });
  return `<div class="run one">${lines.join('')}</div>`;
}

function renderSame(rows, colours, idOf, wrap) {
  if (rows.length === 0) return '';
  const lines = rows.map((row) => {
    const code = renderLine(colours.new[row.newLine - 1] ?? ['', row.text], { wrap });
    return `<div class=l data-o=${row.oldLine} data-n=${row.newLine}${idAttribute(idOf(row))}> ${code}\n</div><div class=r data-n=${row.newLine} aria-hidden=true> ${code}\n</div>`;
  });
  return `<div class=run>${lines.join('')}</div>`;
}

function renderChange(rows, colours, moved, idOf, wrap) {
  const [removed, added] = ['-', '+'].map((sign) => rows.filter((row) => row.sign === sign));
  const marks = findMarks(removed, added, moved);
  const render = (row) => {
    const isOld = row.sign === '-';
    const line = isOld ? row.oldLine : row.newLine;
    const code = renderLine((isOld ? colours.old : colours.new)[line - 1] ?? ['', row.text], { marks: marks.get(row), wrap });
    const name = `${isOld ? 'd' : 'a'}${moved.has(row) ? ' m' : ''}`;
    return `<div class="${name}" data-${isOld ? 'o' : 'n'}=${line}${idAttribute(idOf(row))}>${row.sign}${code}\n</div>`;
  };
  return `<div class="run ch">${[...removed, ...added].map(render).join('')}</div>`;
}

const idAttribute = (id) => (id === undefined ? '' : ` id="${escapeHtml(id)}"`);

/** The lines that a stretch of rows takes on both sides, in words: "lines 77 to 113, before 77 to 107". */
export function describePlace(rows) {
  const side = (absent, key) => {
    const present = rows.filter((row) => row.sign !== absent);
    if (present.length === 0) return undefined;
    const [first, last] = [present[0][key], present.at(-1)[key]];
    return first === last ? `${first}` : `${first} to ${last}`;
  };
  const [old, fresh] = [side('+', 'oldLine'), side('-', 'newLine')];
  if (fresh === undefined) return `old lines ${old}`;
  if (old === undefined) return `lines ${fresh}`;
  return old === fresh ? `lines ${fresh}` : `lines ${fresh}, before ${old}`;
}

/** How many lines have come, gone and moved: {added, removed, moved}. */
export function countChanges(rows, moved) {
  return {
    added: rows.filter(({ sign }) => sign === '+').length,
    removed: rows.filter(({ sign }) => sign === '-').length,
    moved: rows.filter((row) => row.sign === '+' && moved.has(row)).length,
  };
}
