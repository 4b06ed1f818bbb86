// Takes comments out of a source that would tell where a bug was planted.

import { findComments, findItems } from '../../docs/lib/cpp-ranges.mjs';

/**
 * The rule: functions lose their comments, those within and the one above; all functions, since one that has none among
 * others that do would stand out. What stands at types, members and constants stays, except on the lines `nearBug`
 * (numbers, from 1). Lines that had nothing else are gone, too.
 *
 * Returns {text, lines}: `lines[i]` is the number of the line of `source` that is line i + 1 of the text.
 */
export function takeCommentsOut(source, nearBug = new Set()) {
  const functions = findItems(source).filter(({ kind }) => kind === 'fn');
  const telling = (line) => nearBug.has(line) || functions.some(({ first, last }) => line >= first && line <= last);
  const rows = source.split('\n').map((text, index) => ({ text, line: index + 1, isGone: false }));
  const starts = rows.reduce((all, { text }) => [...all, all.at(-1) + text.length + 1], [0]);
  const lineAt = (offset) => starts.findLastIndex((start) => start <= offset) + 1;
  for (const { start, end } of findComments(source).reverse()) {
    const [from, to] = [lineAt(start), lineAt(Math.max(start, end - 1))];
    if (!telling(from)) continue;
    for (let line = from; line <= to; line += 1) {
      const row = rows[line - 1];
      const left = line === from ? row.text.slice(0, start - starts[line - 1]) : '';
      const right = line === to ? row.text.slice(end - starts[line - 1]) : '';
      row.text = right.trim() === '' ? left.trimEnd() : left + right;
      row.isGone = row.text.trim() === '';
    }
  }
  const kept = closeGaps(rows.filter(({ isGone }) => !isGone));
  return { text: kept.map(({ text }) => text).join('\n'), lines: kept.map(({ line }) => line) };
}

// Of two empty lines that a comment parted one is enough.
function closeGaps(rows) {
  return rows.filter(({ text, line }, index) => {
    const before = rows[index - 1];
    return text.trim() !== '' || before === undefined || before.text.trim() !== '' || before.line === line - 1;
  });
}
