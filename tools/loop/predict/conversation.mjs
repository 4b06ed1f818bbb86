// Asks the questions, one after the other.

import { readCount, readOption, readSureness } from './answers.mjs';
import { listOptions } from './question.mjs';

/**
 * Asks all questions and puts {question, number, value, sureness} into `answers` as they come: `number` counts from 1,
 * `value` is null where the learner does not know. Returns whether all were asked: the end of the input ends it earlier, and
 * where it comes in place of the sureness, the answer counts as a guess.
 */
export async function askQuestions(dialogue, questions, seed, answers) {
  for (const [at, question] of questions.entries()) {
    const options = listOptions(question, seed);
    showQuestion(dialogue, question, options, `${at + 1} of ${questions.length}`);
    const value = await askAnswer(dialogue, options);
    if (value === undefined) return false;
    const sureness = value === null ? 1 : await askSureness(dialogue);
    answers.push({ question, number: at + 1, value, sureness: sureness ?? 1 });
    if (sureness === undefined) return false;
  }
  return true;
}

function showQuestion(dialogue, { text, lines }, options, number) {
  dialogue.say(`\n${dialogue.paint('bold', `${number}.`)} ${text}`);
  lines.forEach((line) => dialogue.show(`    ${line}`));
  options?.forEach((option) => dialogue.say(`${option.letter}. ${option.text}`));
}

/** The value of the answer; null for "I do not know", undefined at the end of the input. */
async function askAnswer(dialogue, options) {
  while (true) {
    const text = await dialogue.ask('your answer: ');
    if (text === null) return undefined;
    if (/^\?+$/.test(text)) return null;
    if (options === null) {
      const count = readCount(text);
      if (count !== null) return count;
      dialogue.say('A number is wanted, as 2; or ? where you do not know.');
    } else {
      const option = readOption(text, options);
      if (option !== null) return option.value;
      dialogue.say(`One of ${options.map(({ letter }) => letter).join(', ')} is wanted, or words that fit one of them alone; or ? where you do not know.`);
    }
  }
}

/** 1 to 3, or undefined at the end of the input. */
async function askSureness(dialogue) {
  while (true) {
    const text = await dialogue.ask('how sure, 1 (a guess), 2, or 3 (sure): ');
    if (text === null) return undefined;
    const sureness = readSureness(text);
    if (sureness !== null) return sureness;
    dialogue.say('1, 2 or 3 is wanted.');
  }
}
