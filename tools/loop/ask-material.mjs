// The material of a prompt: the text of a chapter, its diff, its code, its recorded trace, its confusions; a piece each.

import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { listChapters } from '../chapters.mjs';
import { documentOf } from './ask-modes.mjs';
import { fence, numberLines } from './ask-prompt.mjs';
import { readText } from './ask-text.mjs';
import { runProgram } from './run-program.mjs';

/** Reads the text of a chapter as readText() gives it; of a chapter that has none yet, an empty one. */
export function readChapterText(root, chapter) {
  const path = documentOf(chapter);
  if (!existsSync(join(root, path))) return { sections: [], traces: [], confusions: null, questions: [] };
  return readText(path, readFileSync(join(root, path), 'utf8'), chapter);
}

/** The pieces of a chapter's material, as fitPrompt() takes them. `warn` is told what cannot be had, in a sentence. */
export async function gatherMaterial(scope, root, chapter, text, warn) {
  const path = documentOf(chapter);
  const number = Number(chapter.slice(0, 2));
  return [
    ...text.sections.map(({ title, line, lines }) => ({ part: `The text: ${path}`, title: `${title} [${line}]`, name: title, text: lines.join('\n') })),
    ...(await showDiff(scope, root, chapter, warn)).map((piece) => ({ part: `The diff: ./learn diff ${number}`, ...piece })),
    ...listSources(root, chapter).map((name) => ({
      part: `The code: chapters/${chapter}`, title: name, text: fence(numberLines(readLines(join(root, 'chapters', chapter, name))), 'cpp'),
    })),
    ...showTraces(text.traces).map((piece) => ({ part: 'The trace, as the text has recorded it', ...piece })),
    ...(text.confusions ? [{ part: `If you are confused: ${path}`, title: '', text: text.confusions.lines.join('\n') }] : []),
  ];
}

/** Where each recorded trace begins, in the numbers that [trace:LINE] means, and how many lines there are in all. */
export function countTraceLines(traces) {
  return traces.reduce((count, { lines }) => count + lines.length, 0);
}

function showTraces(traces) {
  let first = 1;
  return traces.map(({ title, lines }) => {
    const text = fence(numberLines(lines, first), 'text');
    first += lines.length;
    return { title, text };
  });
}

/** The sources of a chapter: server.cpp, and what it includes from the chapter's folder, in the order of the includes. */
export function listSources(root, chapter) {
  const found = [];
  const visit = (name) => {
    const file = join(root, 'chapters', chapter, name);
    if (found.includes(name) || !existsSync(file)) return;
    found.push(name);
    for (const [, included] of readFileSync(file, 'utf8').matchAll(/^#include "([^"]+)"/gm)) {
      visit(posix.normalize(posix.join(posix.dirname(name), included)));
    }
  };
  visit('server.cpp');
  return found;
}

export function readLines(path) {
  const lines = readFileSync(path, 'utf8').split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

// As ./learn diff prints it, a piece for each file. A new file stands in the code, whole.
async function showDiff(scope, root, chapter, warn) {
  if (listChapters(root)[0] === chapter) return [];
  const { status, stdout, stderr } = await runProgram(scope, join(root, 'learn'), ['diff', chapter], { cwd: root });
  if (status === 0) return splitDiff(stdout);
  warn(`the prompt has no diff: ./learn diff ${chapter} has failed${stderr ? `, with: ${stderr.trim().split('\n').at(-1)}` : ''}`);
  return [];
}

export function splitDiff(text) {
  const lines = text.trimEnd().split('\n');
  // The head: how much has changed, what has only moved, and the list of the files, of which the pieces tell enough.
  const end = lines.includes('') ? lines.indexOf('') : lines.length;
  const moved = lines.slice(0, end).find((line) => line.includes(' moved: < '));
  const pieces = [];
  for (const line of lines.slice(end + 1)) {
    const [, name, isNew, isGone] = /^(\S+) \(\+\d+ -\d+(?:(, new)|(, gone))?\)$/.exec(line) ?? [];
    if (name !== undefined) pieces.push({ title: name, isNew: Boolean(isNew), isGone: Boolean(isGone), lines: [] });
    else if (pieces.length > 0) pieces.at(-1).lines.push(line);
    else if (line !== '') pieces.push({ title: '', lines: [line] }); // one file alone has no heading
  }
  for (const piece of pieces) piece.title ||= /^\+\+\+ [^/]+\/(.*)$/m.exec(piece.lines.join('\n'))?.[1] ?? 'the files';
  const fresh = pieces.filter(({ isNew }) => isNew).map(({ title }) => title);
  const shown = pieces.filter(({ isNew }) => !isNew).map(({ title, isGone, lines: diff }) => ({
    title: isGone ? `${title}, which is gone` : title, text: fence(trimBlank(diff), 'diff'),
  }));
  if (moved && shown.length > 0) shown.unshift({ title: 'what has moved', text: `${moved}.` });
  if (fresh.length > 0) shown.push({ title: 'new files', text: `New, and whole in the code: ${fresh.join(', ')}.` });
  return shown;
}

function trimBlank(lines) {
  const first = lines.findIndex((line) => line !== '');
  const last = lines.findLastIndex((line) => line !== '');
  return lines.slice(first, last + 1);
}
