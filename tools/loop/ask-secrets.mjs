// What neither a prompt nor a reply may hold: lines of the planted bugs' patches and of the exercises' solutions, sentences of
// the folded answers. Read from the files themselves, and not by way of what makes the prompts.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findChapterBefore } from '../chapters.mjs';

const shortestLine = 16; // characters: shorter lines stand in many programs
const shortestSentence = 32;
const answerSection = /^## (Predict|Think|Quiz|Practice)/;
const answerSummary = /\b(answers?|hints?|solutions?)\b|\byou (should|will) (see|have)\b/i;

/**
 * The secrets of a chapter: [{kind, text, source}], `text` in the form of squeeze(). Left out is what anybody sees who reads
 * the chapter, or the one before it: their code and the open parts of the text.
 */
export function readSecrets(root, chapter) {
  const open = squeeze(readOpen(root, chapter));
  const isHidden = ({ text }) => !open.includes(text);
  return [...readPatchSecrets(root, chapter), ...readSolutionSecrets(root, chapter), ...readAnswerSecrets(root, chapter)].filter(isHidden);
}

/** Those of `secrets` that stand in `text`, however its lines are broken. */
export function findLeaks(text, secrets) {
  const squeezed = squeeze(text);
  return secrets.filter((secret) => squeezed.includes(secret.text));
}

/** Words without emphasis, quotes and the signs and numbers in front of lines, with one space between them. */
export function squeeze(text) {
  return text.replace(/^\s*(?:\d+ \| ?|\[\d+\] |>\s?|[-+](?=\s))/gm, '').replace(/[*`_]+/g, '').replace(/\s+/g, ' ').toLowerCase();
}

function readPatchSecrets(root, chapter) {
  return listFiles(join(root, 'tests/bugs', chapter), /\.patch$/).flatMap(({ name, text }) => readAddedLines(text)
    .map((line) => ({ kind: 'a line of a planted bug', text: line, source: `tests/bugs/${chapter}/${name}` })));
}

function readAddedLines(patch) {
  const body = patch.slice(Math.max(0, patch.search(/^--- /m)));
  return takeDistinctive(body.split('\n').filter((line) => /^\+(?!\+\+ )/.test(line)).map((line) => line.slice(1)));
}

// A solution is a patch, or a file of code in the place of the chapter's own.
function readSolutionSecrets(root, chapter) {
  return listFiles(join(root, 'tests/exercises', chapter), /\.(patch|diff|[ch]pp)$/).flatMap(({ name, text }) => {
    const lines = /\.[ch]pp$/.test(name) ? takeDistinctive(text.split('\n')) : readAddedLines(text);
    return lines.map((line) => ({ kind: 'a line of a solution', text: line, source: `tests/exercises/${chapter}/${name}` }));
  });
}

function takeDistinctive(lines) {
  return lines.map((line) => squeeze(line).trim()).filter((line) => line.length >= shortestLine && /[a-z]{3}/.test(line) && !line.startsWith('#include'));
}

function listFiles(folder, form) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return listFiles(join(folder, entry.name), form).map(({ name, text }) => ({ name: `${entry.name}/${name}`, text }));
    return form.test(entry.name) ? [{ name: entry.name, text: readFileSync(join(folder, entry.name), 'utf8') }] : [];
  });
}

function readAnswerSecrets(root, chapter) {
  const path = `docs/${chapter}.md`;
  return splitText(root, path).folded.flatMap(({ kind, text }) => splitSentences(text).map((sentence) => ({ kind, text: sentence, source: path })));
}

function splitSentences(text) {
  return text.replace(/```[\s\S]*?```/g, ' ').split(/(?<=[.:?!;])\s+|\n\s*\n|\n(?=\s*(?:[-*]|\d+\.)\s)/)
    .map((sentence) => squeeze(sentence).trim().replace(/^(?:\d+\. |[a-d]\. )/, '')).filter((sentence) => sentence.length >= shortestSentence);
}

/** The folded answers of a text, [{kind, text}], and the rest of it, as one text. */
function splitText(root, path) {
  const folded = [];
  const open = [];
  let section = '';
  let depth = 0; // of the folds within an answer
  const lines = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8').split(/\r?\n/) : [];
  lines.forEach((line, index) => {
    if (/^## /.test(line)) section = line;
    const opens = /^\s*<details\b/.test(line);
    const summary = opens ? /<summary>(.*?)<\/summary>/.exec(lines.slice(index, index + 3).join(' '))?.[1] ?? '' : '';
    if (depth > 0 || (opens && isAnswer(section, summary))) {
      if (depth === 0) folded.push({ kind: /^## Quiz/.test(section) ? 'an answer of the quiz' : 'a folded answer', text: '' });
      depth += Number(opens) - Number(/<\/details>/.test(line));
      folded.at(-1).text += `${line.replace(/<[^>]*>/g, '')}\n`;
    } else open.push(line);
  });
  return { folded, open: open.join('\n') };
}

// In the sections that ask, each fold is an answer, except recorded traces, and folds that hold further exercises.
function isAnswer(section, summary) {
  return answerSummary.test(summary) || (answerSection.test(section) && !/\b(trace|exercises?)\b/i.test(summary));
}

function readOpen(root, chapter) {
  const before = findChapterBefore(root, chapter);
  const code = [before, chapter].filter(Boolean).flatMap((name) => listFiles(join(root, 'chapters', name), /\.[ch]pp$/)).map(({ text }) => text);
  return [...code, splitText(root, `docs/${chapter}.md`).open].join('\n');
}
