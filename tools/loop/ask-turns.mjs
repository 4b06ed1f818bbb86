// Reads a reply: its turns, and in each the labels of the form with what stands behind them.

const longestStatement = 300; // characters: a longer line is prose

export const labels = {
  explain: ['Ask', 'Example', 'Term', 'See', 'Teach back'],
  socratic: ['Look', 'Hint', 'Question'],
  quiz: ['Answer', 'See', 'Question', 'Commit'],
  diagnose: ['Evidence', 'Hypothesis', 'Tell apart', 'If', 'Predict'],
  practice: ['Symptom', 'Task', 'Where', 'Check', 'Predict', 'Hint', 'Question'],
};

/**
 * The turns of a reply: [{mode, chapter, number, line, text}]; mode, chapter and number are undefined where the reply does not
 * begin with the line that says them. `line` counts from 1; `text` is all of the turn, that line too.
 */
export function readTurns(text, modes) {
  const lines = text.split('\n');
  const form = new RegExp(`^[\\s#>*_\`]*(${modes.join('|')})\\s+(\\d\\d-[a-z0-9-]+),\\s*turn\\s+(\\d{1,4})[\\s*_\`.:]*$`, 'i');
  const turns = [];
  lines.forEach((line, index) => {
    const [, mode, chapter, number] = form.exec(line) ?? [];
    if (mode) turns.push({ mode: mode.toLowerCase(), chapter, number: Number(number), line: index + 1, lines: [] });
    else if (turns.length === 0 && line.trim() !== '' && !/^\s*(```|~~~)/.test(line)) turns.push({ line: index + 1, lines: [] });
    turns.at(-1)?.lines.push(line);
  });
  return turns.map(({ lines: own, ...turn }) => ({ ...turn, text: own.join('\n') }));
}

/**
 * The labelled parts of a turn, in their order: [{label, number, text, line}]; `number` is that of "Hypothesis 2", or
 * undefined. What stands before the first label is left out.
 */
export function readParts({ mode, text, line: first }) {
  const form = new RegExp(`^[\\s>*_#-]*(${labels[mode].join('|')})(?:\\s+(\\d+))?[*_]*\\s*:[*_]*\\s*(.*)$`, 'i');
  const parts = [];
  text.split('\n').forEach((line, index) => {
    const [, word, number, rest] = form.exec(line) ?? [];
    if (word) {
      const label = labels[mode].find((known) => known.toLowerCase() === word.toLowerCase());
      parts.push({ label, number: number === undefined ? undefined : Number(number), line: first + index, text: rest });
    } else if (parts.length > 0) parts.at(-1).text += `\n${line}`;
  });
  return parts.map((part) => ({ ...part, text: part.text.trim() }));
}

/** How many questions a text asks: question marks outside of code. */
export function countQuestions(text) {
  return dropCode(text).match(/\?+(?=[\s"'”’)*_\]!]|$)/g)?.length ?? 0;
}

const dropCode = (text) => text.replace(/```[\s\S]*?(```|$)/g, ' ').replace(/`[^`\n]*`/g, ' ');

/** The first piece of code in a text, or null. Names, calls without arguments, man pages and commands of a shell are none. */
export function findCode(text) {
  for (const [, body] of text.matchAll(/```[^\n]*\n([\s\S]*?)(?:```|$)/g)) {
    const line = body.split('\n').find((words) => words.trim() !== '' && !isCommand(words));
    if (line !== undefined) return line.trim();
  }
  for (const [, span] of text.replace(/```[\s\S]*?(```|$)/g, ' ').matchAll(/`([^`\n]+)`/g)) {
    if (!isCommand(span) && looksLikeCode(span)) return span;
  }
  return dropCode(text).split('\n').map((line) => line.trim()).find((line) => looksLikeStatement(line)) ?? null;
}

const isCommand = (words) => /^\s*(\$ )?(\.\/learn|nc|ss|ps|strace|man|sudo)\b/.test(words);
const looksLikeCode = (span) => /[;{}]|[^=!<>]=[^=]|==|->|<<|>>/.test(span) || (/\w\([^)]*[^)\s][^)]*\)/.test(span) && !/^\w+\(\d\w*\)$/.test(span));
const looksLikeStatement = (line) => line.length < longestStatement
  && [/^[\w:<>*&,.()!\s"'|+=-]*[\w)\]"]\s*(\(.*\)|=[^=].*);\s*(\/\/.*)?$/, /^(if|for|while|switch) ?\(.*\)\s*\{?$/, /^[{}];?$/, /^[-+] {2,}\S/].some((form) => form.test(line));

/** Whether two sentences say the same in nearly the same words: four of five words of both are common. */
export function areAlike(a, b) {
  const [left, right] = [a, b].map((text) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []));
  if (left.size === 0 || right.size === 0) return false;
  const common = [...left].filter((word) => right.has(word)).length;
  return common / (left.size + right.size - common) >= 0.8;
}
