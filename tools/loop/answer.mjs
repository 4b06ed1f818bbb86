// Understands what was typed as the answer to a question with options.

// Words as they are compared: without Markdown's signs, without marks at their ends, in small letters.
const normalise = (text) => text.replace(/[`*_]/g, '').replace(/[^\p{L}\p{N}]+/gu, ' ').trim().toLowerCase();

/**
 * One of {letter}, {letter, words} when words were taken for it, {fits: [letter...]} when they fit several, {unknown} for
 * a letter that no option has, {leave}, and {} for what is no answer.
 */
export function readAnswer(line, options) {
  const typed = line.trim();
  const letter = /^\(?([a-z])(?:[).:]|$)/i.exec(typed)?.[1].toUpperCase();
  const isAlone = letter !== undefined && /^\(?[a-z][).:]*$/i.test(typed);
  if (letter !== undefined && options.some((option) => option.letter === letter)) return { letter };
  if (/^(q|quit|exit)$/i.test(typed)) return { leave: true };
  if (isAlone) return { unknown: letter };
  const words = normalise(typed);
  if (words.length < 2) return {};
  const isWhole = options.filter(({ text }) => normalise(text) === words);
  const fits = isWhole.length === 1 ? isWhole : options.filter(({ text }) => normalise(text).startsWith(words));
  if (fits.length === 1) return { letter: fits[0].letter, words: typed };
  return fits.length > 1 ? { fits: fits.map((option) => option.letter) } : {};
}

/** A, B or C: the letters as they are said in a sentence. */
export const joinLetters = (letters, word = 'or') => (letters.length < 2 ? letters.join('') : `${letters.slice(0, -1).join(', ')} ${word} ${letters.at(-1)}`);
