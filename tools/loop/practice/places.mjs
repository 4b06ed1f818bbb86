// Where a bug is in the copy as it was given: the places, and the functions around them.

import { findItems } from '../../docs/lib/cpp-ranges.mjs';
import { makeFiles } from './copy.mjs';

const isCode = (text) => !/^\s*(\/\/.*)?$/.test(text);
const isInclude = (text) => /^\s*#\s*include\b/.test(text);
const counts = (text) => isCode(text) && !isInclude(text);

/**
 * For each file that the patch changes {name, lines, functions}: `lines` is the set of the numbers of the lines, in the
 * given copy, that are wrong; where something was taken out, the two lines between which it is missing. `functions` are
 * the items {name, first, last} that hold them. An include that a change needs is no place.
 */
export function findPlaces(copy) {
  const { files, applied } = makeFiles(copy.task, copy.original);
  return [...applied].map(([name, { changes, lines }]) => {
    const given = files.get(name).split('\n');
    const numberOf = new Map(lines.map((line, index) => [line, index + 1]));
    const places = new Set(changes.flatMap((change) => findLinesOf(change, given, lines, numberOf)));
    const items = findItems(files.get(name));
    return { name, lines: places, functions: findItemsAround(items, places) };
  }).filter(({ lines }) => lines.size > 0);
}

function findLinesOf({ from, to, came, went }, given, lines, numberOf) {
  const fresh = came.flatMap((text, index) => (counts(text) && numberOf.has(from + index) ? [numberOf.get(from + index)] : []));
  if (fresh.length > 0 || !went.some(counts)) return fresh;
  // Taken out between the last line that stands before it and the first one behind, empty ones left out.
  const before = lines.findLastIndex((line, index) => line < from && given[index].trim() !== '');
  const after = lines.findIndex((line, index) => line > to && given[index].trim() !== '');
  return [before, after].filter((index) => index !== -1).map((index) => index + 1);
}

// The innermost items around the lines: functions, or a type where a line is in none.
function findItemsAround(items, lines) {
  const found = new Set();
  for (const line of lines) {
    const around = items.filter(({ first, last }) => line >= first && line <= last);
    const innermost = around.filter(({ kind }) => kind === 'fn').at(-1) ?? around.at(-1);
    if (innermost) found.add(innermost);
  }
  const functions = [...found].filter(({ kind }) => kind === 'fn');
  return functions.length > 0 ? functions : [...found];
}

/** "in server.cpp, in serve() and accept_client()", in words; for a hint. */
export function describePlaces(places) {
  return places.map(({ name, functions, lines }) => {
    const names = [...new Set(functions.map((item) => (item.kind === 'fn' ? `${item.name}()` : `the type ${item.name}`)))];
    if (names.length === 0) return `in ${name}, near line ${[...lines][0]} of the copy as it was given, outside of any function`;
    return `in ${name}, in ${names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names[0]}`;
  }).join('; and ');
}
