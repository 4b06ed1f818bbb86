// A guess: a line of the copy, and what is wrong there.

import { existsSync } from 'node:fs';
import { basename, isAbsolute, join, relative, resolve } from 'node:path';
import { Problem, UsageProblem } from '../../observe/problem.mjs';
import { findNearest } from '../words.mjs';
import { findOrigins } from './lines.mjs';

/** FILE:LINE as it was typed, in a copy: {name, line}. `from` is the folder where the caller stands. Throws UsageProblem. */
export function readPlace(copy, word, from) {
  const [, file, number] = /^(.*?):?(\d+)(?::\d+)?:?$/.exec(word) ?? [];
  const names = copy.sourceNames;
  if (!file || number === undefined) {
    throw new UsageProblem(`a guess names a file and a line, as FILE:LINE, and not '${word}'`);
  }
  const name = findName(copy, names, file, from);
  const line = Number(number);
  const count = copy.now.get(name).replace(/\n$/, '').split('\n').length;
  if (line < 1 || line > count) throw new UsageProblem(`${copy.pathOf(name)} has lines 1 to ${count}, and no line ${number}`);
  return { name, line };
}

function findName(copy, names, file, from) {
  for (const base of [copy.folder, copy.root, from]) {
    const path = isAbsolute(file) ? file : resolve(base, file);
    const name = relative(copy.folder, path);
    if (names.includes(name)) return name;
  }
  const path = [copy.root, from].map((base) => resolve(base, file)).find((candidate) => existsSync(candidate));
  if (path && relative(join(copy.root, 'chapters'), path).startsWith(copy.task.chapter)) {
    throw new UsageProblem(`${file} is the chapter itself, which has no bug: the lines of the copy count, in ${copy.pathOf()}`);
  }
  const alike = names.filter((name) => basename(name) === file);
  if (alike.length === 1) return alike[0];
  const nearest = findNearest(basename(file), names);
  throw new UsageProblem(`there is no ${file} in ${copy.pathOf()}${nearest ? `; did you mean ${nearest}?` : ''} ${names.length > 0 ? `(it has ${names.join(', ')})` : `(it has no source; as it was given: ${copy.pathOf()}/.practice/given/)`}`);
}

/** How good a guess is: 'place', 'function' or 'elsewhere'. `places` is what findPlaces() says. */
export function judge(copy, places, { name, line }) {
  const split = (text) => text.split('\n');
  const place = places.find((candidate) => candidate.name === name);
  if (place === undefined || !copy.given.has(name)) return 'elsewhere';
  const origins = findOrigins(split(copy.given.get(name)), split(copy.now.get(name)), line - 1).map((index) => index + 1);
  if (origins.some((origin) => place.lines.has(origin))) return 'place';
  const isInside = ({ first, last }) => origins.some((origin) => origin >= first && origin <= last);
  return place.functions.some(isInside) ? 'function' : 'elsewhere';
}

const wordsFor = { place: 'the right place', function: 'the right function', elsewhere: 'it is elsewhere' };

/** What is said of a guess: no more than how near it is. */
export function describeGuess(result, hints) {
  const when = hints === 0 ? 'before any hint' : `after ${hints} hint${hints > 1 ? 's' : ''}`;
  return `${wordsFor[result]}, ${when}${result === 'elsewhere' ? '. One place less to look at' : ''}`;
}

export function demandWords(words) {
  const text = (words ?? '').trim();
  if (text === '') throw new Problem('nothing is noted: a guess is a line, and in your own words what is wrong there');
  return text;
}
