// The modes of ./learn ask: what a tutor does in each, as text for the prompt.

import { readFileSync } from 'node:fs';

export const modes = ['explain', 'socratic', 'quiz', 'diagnose', 'practice'];

/** What a prompt in `mode` says first: the part, the rules and the form of the replies, for a chapter ('03-fork'). */
export function writeRules(mode, chapter) {
  const words = { mode, chapter, number: String(Number(chapter.slice(0, 2))), document: documentOf(chapter) };
  return ['rules', mode].map((name) => fill(readFileSync(new URL(`ask/${name}.md`, import.meta.url), 'utf8'), words)).join('\n');
}

/** The path of a chapter's text. */
export const documentOf = (chapter) => `docs/${chapter}.md`;

function fill(text, words) {
  return text.replace(/\{\{(\w+)\}\}/g, (_, name) => words[name]);
}
