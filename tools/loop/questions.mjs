// The questions of the chapters' texts, as the journal knows them.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document } from '../docs/lib/markdown.mjs';
import { parseQuiz } from '../docs/lib/quiz.mjs';
import { hashOf } from './progress.mjs';

/**
 * What identifies a question: the words of it and of its options. When they change it is another one, and is asked anew;
 * the explanation may change, and so may all other questions.
 */
export const identify = ({ wording, options }) => hashOf([wording, ...options.map(({ letter, text }) => `${letter}. ${text}`)].join('\n'));

/**
 * The questions of a chapter's text, each with its `id`, `chapter` and `path`; and `unreadable`, a sentence for each that
 * the check of the texts would complain of. A chapter without a text has none.
 */
export function readQuestions(root, chapter) {
  const path = `docs/${chapter}.md`;
  const file = join(root, path);
  if (!existsSync(file)) return { path, questions: [], unreadable: [] };
  const all = parseQuiz(new Document(path, readFileSync(file, 'utf8')));
  const unreadable = all.flatMap(({ problems: [first] }) => (first ? [`${path}:${first.line}: ${first.message}`] : []));
  const questions = all.filter(({ problems }) => problems.length === 0).map((question) => ({ ...question, id: identify(question), chapter, path }));
  return { path, questions, unreadable };
}

/**
 * How a question stands: {isAsked, isRight, due}. isRight says of the last time whether the first answer was right; due is
 * when it comes back, in ms since 1970, Infinity before it has been asked.
 */
export function findStanding(progress, { chapter, id }) {
  const key = { chapter, kind: 'quiz', id };
  const last = progress.find(key).at(-1);
  return { isAsked: last !== undefined, isRight: last?.result === 'right', due: progress.dueAt(key) };
}
