// What a `code` marker shows: the lines of a source file that its anchors choose.

import { describeItem, describeLine, findItem, findTextLine, readAnchors } from './anchors.mjs';
import { isCppPath } from './cpp-ranges.mjs';
import { Problem } from './problem.mjs';

// The fence's language by the file's ending or name, and how that language writes a comment.
const languages = [
  [/(^|\/)CMakeLists\.txt$|\.cmake$/, 'cmake', '#'],
  [/\.(cpp|hpp|cc|h)$/, 'cpp', '//'],
  [/\.(sh|bash)$|(^|\/)[^./]+$/, 'bash', '#'],
  [/\.(mjs|js)$/, 'js', '//'],
  [/\.json$/, 'json', '//'],
  [/\.ya?ml$/, 'yaml', '#'],
  [/\.py$/, 'python', '#'],
  [/\.patch$|\.diff$/, 'diff', '#'],
];

function describeLanguage(path) {
  const [, name, comment] = languages.find(([form]) => form.test(path)) ?? [null, 'text', '#'];
  return { name, comment };
}

export function languageOf(path) {
  return describeLanguage(path).name;
}

// The numbers of the lines that the anchors show; all of them when there is no anchor.
export function selectLines(source, anchors) {
  const ranges = anchors.length === 0 ? [[1, source.lines.length]] : anchors.map((anchor) => findRange(source, anchor));
  const selected = new Set();
  for (const [first, last] of ranges) {
    for (let line = first; line <= last; line++) selected.add(line);
  }
  return selected;
}

function findRange(source, anchor) {
  const { kind, side } = anchor;
  if (kind === 'rest') throw new Problem('"rest" is for diff markers; name the lines with fn:, type: or texts in quotes');
  if (kind === 'text') return findTextRange(source, anchor);
  if (side === 'old') throw new Problem(`old-${kind}: is for diff markers; a code marker shows the code as it is`);
  if (!isCppPath(source.path)) throw new Problem(`${kind}: needs a C++ file; use a text in quotes for ${source.path}`);
  const item = findItem(source, anchor);
  return [item.first, item.last];
}

function findTextRange(source, { from, to = from }) {
  if (from.side === 'old' || to.side === 'old') throw new Problem('-"text" is for diff markers; a code marker shows the code as it is');
  const first = findTextLine(source, from.text);
  const last = findTextLine(source, to.text);
  if (first > last) throw new Problem(`"${to.text}" comes before "${from.text}" in ${source.path}; exchange the two`);
  return [first, last];
}

// The chosen lines as text. Where code is left out between two of them, a comment says so; blank lines
// between two ranges are no such place.
export function renderLines(source, selected) {
  const { comment } = describeLanguage(source.path);
  const content = [];
  let previous = null;
  for (const line of [...selected].sort((a, b) => a - b)) {
    const gap = previous === null ? [] : source.lines.slice(previous, line - 1);
    if (gap.every((text) => text.trim() === '')) content.push(...gap);
    else content.push('', `${comment} ...`, '');
    content.push(source.lines[line - 1]);
    previous = line;
  }
  return content;
}

export function isBlankLine(source, line) {
  return source.lines[line - 1].trim() === '';
}

// An anchor that would show this uncovered line, and all the lines that it would show.
export function suggestForLine(source, line, uncovered) {
  let end = line;
  while (uncovered.has(end + 1)) end += 1;
  const items = isCppPath(source.path) ? source.items.filter((item) => item.first <= line && line <= item.last) : [];
  const from = describeLine(source, line);
  const to = describeLine(source, end);
  const choices = [...items.map((item) => describeItem(source, item)), from && to && from !== to ? `${from} .. ${to}` : undefined, from];
  for (const text of choices.filter(Boolean)) {
    const selected = trySelectLines(source, text);
    if (selected?.has(line)) return { text, selected };
  }
  return undefined;
}

function trySelectLines(source, text) {
  try {
    return selectLines(source, readAnchors(text));
  } catch (error) {
    if (error instanceof Problem) return undefined; // not there, or ambiguous: the next choice will do
    throw error;
  }
}
