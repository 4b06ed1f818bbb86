// Which lines of two versions of a text are the same.

/**
 * For each line of `now`, the index of the line of `before` that it is, or -1 where it is none: a longest common
 * subsequence. Both are arrays of lines.
 */
export function matchLines(before, now) {
  const found = new Array(now.length).fill(-1);
  let head = 0;
  while (head < before.length && head < now.length && before[head] === now[head]) {
    found[head] = head;
    head += 1;
  }
  let tail = 0;
  while (tail < Math.min(before.length, now.length) - head && before.at(-1 - tail) === now.at(-1 - tail)) {
    tail += 1;
    found[now.length - tail] = before.length - tail;
  }
  const [a, b] = [before.slice(head, before.length - tail), now.slice(head, now.length - tail)];
  // lengths[i][j]: of the longest common subsequence of a from i on and b from j on.
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      found[head + j] = head + i;
      i += 1;
      j += 1;
    } else if (lengths[i + 1][j] >= lengths[i][j + 1]) i += 1;
    else j += 1;
  }
  return found;
}

/**
 * The lines of `before` for which line `index` of `now` stands: itself where it is unchanged; where it is new, those that
 * went in its place, or else its two neighbours.
 */
export function findOrigins(before, now, index) {
  const matches = matchLines(before, now);
  if (matches[index] !== -1) return [matches[index]];
  const above = matches.slice(0, index).findLast((match) => match !== -1) ?? -1;
  const below = matches.slice(index + 1).find((match) => match !== -1) ?? before.length;
  const between = Array.from({ length: below - above - 1 }, (_, offset) => above + 1 + offset);
  return between.length > 0 ? between : [above, below].filter((line) => line >= 0 && line < before.length);
}
