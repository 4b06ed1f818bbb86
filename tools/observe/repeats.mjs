// Collapses what a spinning server does again and again.

const longestCycle = 12; // calls that one turn of a spinning loop may take
const fewestTurns = 3;

/**
 * Finds runs of repeated entries: [{entries, turns}], in order. Where nothing repeats, `entries` is one
 * entry and `turns` is 1; otherwise `entries` is the first turn of a cycle that came `turns` times.
 * A turn that was begun and broken off at the end of a run belongs to the run. Entries for which
 * `keyOf` gives null never repeat.
 */
export function collapseRepeats(entries, keyOf) {
  const keys = entries.map(keyOf);
  const runs = [];
  for (let at = 0; at < entries.length;) {
    const { length, turns } = findCycle(keys, at);
    let next = at + length * turns;
    if (turns > 1) {
      for (let step = 0; step < length && next < keys.length && keys[next] === keys[at + step]; step += 1) next += 1;
    }
    runs.push({ entries: entries.slice(at, at + length), turns, last: entries[next - 1] });
    at = next;
  }
  return runs;
}

function findCycle(keys, at) {
  for (let length = 1; length <= longestCycle; length += 1) {
    const turns = countTurns(keys, at, length);
    if (turns >= fewestTurns) return { length, turns };
  }
  return { length: 1, turns: 1 };
}

function countTurns(keys, at, length) {
  let end = at;
  while (end < keys.length && keys[end] !== null && (end < at + length || keys[end] === keys[end - length])) end += 1;
  return Math.floor((end - at) / length);
}
