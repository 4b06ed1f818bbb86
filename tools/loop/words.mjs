// Finds what a word of the command line was meant to be. (tools/learn/lib.sh does the same for what is said there.)

import { listChapters } from '../chapters.mjs';
import { UsageProblem, Problem } from '../observe/problem.mjs';

/** How many mistakes lead from one word to the other; two neighbouring letters swapped count as one. */
export function distanceOf(a, b) {
  const d = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (__, j) => (i === 0 ? j : j === 0 ? i : 0)));
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      d[i][j] = Math.min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + Number(a[i - 1] !== b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.length][b.length];
}

/** The candidate that `word` was probably meant to be, or undefined: one mistake for every three letters is near enough. */
export function findNearest(word, candidates) {
  let limit = Math.max(1, Math.floor(word.length / 3));
  let found;
  for (const candidate of candidates) {
    const distance = word !== '' && candidate.startsWith(word) ? 1 : distanceOf(word, candidate);
    if (distance < limit || (distance === limit && found === undefined)) {
      limit = distance;
      found = candidate;
    }
  }
  return found;
}

/**
 * The full name of the chapter that is meant by 3, 03, fork, 03-fork, a beginning of one of the last two that fits no
 * other chapter, or the folder's path. Throws UsageProblem.
 */
export function findChapter(root, word) {
  const chapters = listChapters(root);
  if (chapters.length === 0) throw new Problem(`there is no chapter in ${root}/chapters`);
  const wanted = word.replace(/\/$/, '').replace(/^chapters\//, '').toLowerCase();
  if (/^\d+$/.test(wanted)) {
    const found = chapters.find((name) => Number(name.slice(0, 2)) === Number(wanted));
    if (found) return found;
    throw new UsageProblem(`there is no chapter ${wanted}: the first is ${chapters[0]}, the last ${chapters.at(-1)}`);
  }
  const exact = chapters.find((name) => name === wanted || name.slice(3) === wanted);
  if (exact) return exact;
  const begun = wanted === '' ? [] : chapters.filter((name) => name.startsWith(wanted) || name.slice(3).startsWith(wanted));
  if (begun.length === 1) return begun[0];
  if (begun.length > 1) throw new UsageProblem(`'${word}' could be any of ${begun.join(' ')}`);
  const nearest = findNearest(wanted, chapters.flatMap((name) => [name.slice(3), name]));
  const name = chapters.find((chapter) => chapter === nearest || chapter.slice(3) === nearest);
  throw new UsageProblem(`there is no chapter '${word}'${name ? `; did you mean ${name}?` : ''} (all of them: ./learn)`);
}

/** Throws UsageProblem for a word that is none of `known`, and names the nearest. `what` is said of it: "mode". */
export function demandWord(word, known, what) {
  if (known.includes(word)) return word;
  const nearest = findNearest(word, known);
  throw new UsageProblem(`there is no ${what} '${word}'${nearest ? `; did you mean ${nearest}?` : ''} (they are: ${known.join(', ')})`);
}
