// The code that a recording shows: the functions in which something stands.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The functions in which an actor or a coroutine stands in a frame: [{file, first, lines}]. Their text lies in the recording, so that a
 * page needs nothing else; a file of the chapter is named from its folder, one of common/ from the project's.
 */
export function collectCode(root, name, frames) {
  const wanted = new Map(); // file to numbers of lines
  for (const { actors, coroutines } of frames) {
    for (const { file, line } of [...actors.flatMap(({ stack }) => stack), ...coroutines.flatMap(({ place }) => (place === null ? [] : [place]))]) {
      if (!wanted.has(file)) wanted.set(file, new Set());
      wanted.get(file).add(line);
    }
  }
  return [...wanted.keys()].sort().flatMap((file) => {
    const path = file.startsWith('common/') ? join(root, file) : join(root, 'chapters', name, file);
    const lines = readFileSync(path, 'utf8').split('\n');
    const blocks = new Map();
    for (const line of [...wanted.get(file)].sort((a, b) => a - b)) {
      const [first, last] = findFunction(lines, line);
      blocks.set(first, { file, first, lines: lines.slice(first - 1, last) });
    }
    return [...blocks.values()];
  });
}

/** The first and the last line of what `line` belongs to: it reaches from behind a `}` at the margin to the next one. */
function findFunction(lines, line) {
  let first = line;
  while (first > 1 && !/^[}#]/.test(lines[first - 2]) && !(lines[first - 2] === '' && !/^[\s}]/.test(lines[first - 1] ?? ''))) first -= 1;
  let last = line;
  while (last < lines.length && !lines[last - 1].startsWith('}')) last += 1;
  while (lines[first - 1] === '') first += 1;
  return [first, last];
}
