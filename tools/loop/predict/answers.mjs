// Reads what a learner has typed: a letter, the words of an option, a number.

const numberWords = ['none', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'];

/** Words without case, spaces, brackets and the other signs that do not tell options apart. */
const simplify = (text) => text.toLowerCase().replace(/[`'"“”’().,:;…→>+]|::|\bthe\b|\ba\b/g, ' ').replace(/\s+/g, ' ').trim();

/** The number that is meant, or null. */
export function readCount(text) {
  const words = text.trim().toLowerCase().replace(/\.$/, '');
  if (/^\d{1,6}$/.test(words)) return Number(words);
  const word = numberWords.indexOf(words);
  return word === -1 ? null : word;
}

/** The option that is meant, or null: by its letter, or by its words or the beginning of them that fits no other. */
export function readOption(text, options) {
  const letter = /^\(?([a-z])[.):]?$/i.exec(text.trim())?.[1]?.toUpperCase();
  if (letter !== undefined) return options.find((option) => option.letter === letter) ?? null;
  const words = simplify(text);
  const exact = options.filter((option) => simplify(option.text) === words || simplify(String(option.value)) === words);
  if (exact.length === 1) return exact[0];
  if (words.length < 2) return null;
  const begun = options.filter((option) => simplify(option.text).startsWith(words) || simplify(option.text).split(' ').includes(words));
  return begun.length === 1 ? begun[0] : null;
}

/** 1 to 3, or null. */
export function readSureness(text) {
  const words = text.trim().toLowerCase();
  if (/^[123]$/.test(words)) return Number(words);
  return { one: 1, two: 2, three: 3, guess: 1, rather: 2, sure: 3, certain: 3 }[words] ?? null;
}

export const surenessWords = { 1: 'a guess', 2: 'rather sure', 3: 'sure' };
