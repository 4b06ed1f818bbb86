// What a text refers to: places (server.cpp:57, trace:12) and commands of ./learn. Do they exist?

import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { listChapterFiles, listChapters } from '../chapters.mjs';
import { readLines } from './ask-material.mjs';
import { findNearest } from './words.mjs';

const placeForm = /(?<![\w./-])((?:[\w.-]+\/)*[\w.-]+\.(?:cpp|hpp|md|txt|mjs|sh|py|cmake)|trace|evidence|question):(\d+)(?:\s?[-–]\s?(\d+))?/g;
const absenceForm = /not in the material/i;

/** The places that a text cites: [{name, first, last, index}]. */
export function findPlaces(text) {
  return [...text.matchAll(placeForm)].map(({ 1: name, 2: first, 3: last, index }) => ({ name, first: Number(first), last: Number(last ?? first), index }));
}

/** Whether a text cites anything, or says that the material has nothing. */
export const citesAnything = (text) => absenceForm.test(text) || findPlaces(text).length > 0;

/** What is wrong with a place, in words; null where it exists. `chapter` may be undefined; `traceLines` counts the trace's. */
export function explainPlace(root, { name, first, last }, { chapter, traceLines }) {
  if (first < 1 || last < first) return `${name}:${first}${last === first ? '' : `-${last}`} is no place`;
  if (name === 'evidence' || name === 'question') return null; // only the learner has these
  if (name === 'trace') {
    if (chapter === undefined || last <= traceLines) return null;
    return traceLines === 0 ? `trace:${first}: the text of ${chapter} has no recorded trace` : `trace:${last}: the trace of ${chapter} has ${traceLines} lines`;
  }
  const path = findFile(root, name, chapter);
  if (path === undefined) return `there is no file ${name}${chapter ? ` in ${chapter}` : ''}`;
  const count = readLines(join(root, path)).length;
  return last > count ? `${name}:${last}: ${path} has ${count} lines` : null;
}

function findFile(root, name, chapter) {
  // Of a file in a folder of the chapter, such as runtime/, its own name does.
  const own = chapter ? listChapterFiles(join(root, 'chapters', chapter)).find((file) => `/${file}`.endsWith(`/${name}`)) : undefined;
  const candidates = [...(own ? [`chapters/${chapter}/${own}`] : []), name, `chapters/${name}`, `docs/${name}`, `common/${name}`];
  return candidates.find((path) => !normalize(path).startsWith('..') && existsSync(join(root, path)));
}

/** The commands of ./learn in a text: [{words, index}]; a command ends with its line, its code span or its sentence. */
export function findCommands(text) {
  return [...text.matchAll(/\.\/learn\b((?:[ \t]+(?:"[^"\n]*"|[^\s`"|;&()<>]+))*)/g)].map(({ 1: rest, index }) => ({
    words: (rest.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^["*_']+|["*_',.:;?!]+$/g, '')).filter(Boolean), index,
  }));
}

/** What is wrong with the words after `./learn`, in words; null where such a command exists. */
export function explainCommand(root, words) {
  const [command, ...rest] = words.filter((word) => !['--yes', '--verbose', '-v'].includes(word));
  if (command === undefined) return null; // ./learn alone
  const known = listCommands(root);
  if (!known.includes(command)) {
    const nearest = findNearest(command, known);
    return `there is no command ./learn ${command}${nearest ? `; the nearest is ./learn ${nearest}` : ''}`;
  }
  return explainChapter(root, command, rest) ?? explainOptions(root, command, rest);
}

function listCommands(root) {
  return /^LEARN_COMMANDS="([^"]*)"/m.exec(readFileSync(join(root, 'learn'), 'utf8'))[1].split(' ');
}

// A number, or a chapter's whole name, where the chapter stands. Other words may be a test's, a bug's or prose.
function explainChapter(root, command, rest) {
  const first = rest.find((word) => !word.startsWith('-'));
  if (first === undefined || command === 'help' || !/^\d\d?(-[a-z-]+)?$/.test(first) || rest.indexOf(first) > 1) return null;
  const chapters = listChapters(root);
  const exists = /-/.test(first) ? chapters.includes(first) : chapters.some((name) => Number(name.slice(0, 2)) === Number(first));
  return exists ? null : `./learn ${command} ${first}: there is no chapter ${first}`;
}

// The options of a command stand in the comment at its head. Behind the chapter of `run` they are the server's.
function explainOptions(root, command, rest) {
  if (command === 'run') return null;
  const help = readFileSync(join(root, 'tools/learn', `${command}.sh`), 'utf8').split(/^[^#]*$/m)[0];
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  const options = own.map((word) => /^--?[a-zA-Z][\w-]*/.exec(word)?.[0]).filter(Boolean);
  const unknown = options.find((option) => !['--help', '-h'].includes(option) && !new RegExp(`${option}(?![\\w-])`).test(help));
  return unknown === undefined ? null : `./learn ${command} has no option ${unknown}`;
}
