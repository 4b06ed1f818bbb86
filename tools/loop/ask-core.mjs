// What each prompt must have: the rules, the commands that exist, the question, the evidence, and what is asked already.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanWords } from './ask-evidence.mjs';
import { writeRules } from './ask-modes.mjs';
import { fence, numberLines } from './ask-prompt.mjs';

/** The commands that a tutor may name: those that look into a chapter, or let the learner practise. */
export const namedCommands = ['run', 'test', 'diff', 'trace', 'capture', 'watch', 'client', 'predict', 'quiz', 'practice'];

/**
 * The part of a prompt that no budget takes away. `question` is the learner's, or undefined; `evidence` is a list of {title,
 * lines}; `questions` are those of the text's quiz.
 */
export function writeCore(root, mode, chapter, { question, evidence, questions }) {
  return [
    writeRules(mode, chapter).trimEnd(),
    `# The commands of ./learn\n\n${fence(listUsages(root))}\n\nA chapter is named by its number: ./learn trace ${Number(chapter.slice(0, 2))}.`,
    showQuestion(question, evidence.length > 0),
    showEvidence(evidence),
    mode === 'quiz' && listTaken('What the quiz of the text asks already', questions),
    mode === 'practice' && listTaken('The symptoms of the planted bugs, which are taken', readSymptoms(root, chapter)),
  ].filter(Boolean).join('\n\n');
}

function listUsages(root) {
  return namedCommands.map((name) => readFileSync(join(root, 'tools/learn', `${name}.sh`), 'utf8').split('\n')[1].replace(/^# /, ''));
}

function showQuestion(question, hasEvidence) {
  if (question === undefined) return `# The learner's question\n\nNone in words: begin with ${hasEvidence ? 'the evidence' : 'the idea of the chapter'}.`;
  return `# The learner's question\n\nCite as [question:LINE].\n\n${fence(numberLines(cleanWords(question).trim().split('\n')), 'text')}`;
}

function showEvidence(evidence) {
  if (evidence.length === 0) return '';
  let first = 1;
  const parts = evidence.map(({ title, lines }) => {
    const shown = lines.length > 0 ? lines : ['(no output)'];
    const part = `${title}:\n\n${fence(numberLines(shown, first), 'text')}`;
    first += shown.length;
    return part;
  });
  return `# The learner's evidence\n\nCite as [evidence:LINE].\n\n${parts.join('\n\n')}`;
}

function listTaken(title, sentences) {
  return sentences.length === 0 ? '' : `# ${title}\n\n${sentences.map((sentence) => `- ${sentence}`).join('\n')}`;
}

/** The symptoms of a chapter's planted bugs; of the patches nothing else is read. */
export function readSymptoms(root, chapter) {
  const folder = join(root, 'tests/bugs', chapter);
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => name.endsWith('.patch')).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => /^Symptom: (.*)$/m.exec(readFileSync(join(folder, name), 'utf8'))?.[1]).filter(Boolean);
}
