// Chance that can be repeated: the same seed gives the same order, on every machine.

import { createHash } from 'node:crypto';

/** A function that gives numbers from 0 to below 1, the same ones for the same words. */
function makeSource(...words) {
  let turn = 0;
  return () => createHash('sha256').update([...words, turn++].join('\0')).digest().readUInt32BE(0) / 2 ** 32;
}

/** A copy of `list` in an order that depends on `words` alone. */
export function shuffle(list, ...words) {
  const next = makeSource(...words);
  const copy = [...list];
  for (let at = copy.length - 1; at > 0; at -= 1) {
    const other = Math.floor(next() * (at + 1));
    [copy[at], copy[other]] = [copy[other], copy[at]];
  }
  return copy;
}

/** A seed for a learner who has named none: short enough to be typed. */
export const drawSeed = () => Math.floor(Math.random() * 10_000);
