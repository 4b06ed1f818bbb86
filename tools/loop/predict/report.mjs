// Says what was right, and shows beside each miss the lines of the recording, of the code and of the text.

import { surenessWords } from './answers.mjs';
import { sortMisses } from './grade.mjs';
import { findCode, findInText, findPrediction, readText } from './places.mjs';

/** `graded` is {answers, recordings}, as gradeAnswers() gives them and by what it did. */
export function report(dialogue, { answers, recordings }, { root, chapter, other, view, session }) {
  const { paint } = dialogue;
  const counted = answers.filter(({ outcome }) => outcome !== 'void');
  const right = counted.filter(({ outcome }) => outcome === 'right');
  dialogue.say(paint('bold', `${right.length} of ${counted.length} right`));
  for (const { question, number, value, sureness } of right) {
    dialogue.say(`${number}. right${sureness === 1 ? ', by a guess' : ''}: ${nameValue(question, value)}`);
  }
  for (const answer of answers.filter(({ outcome }) => outcome === 'void')) {
    dialogue.say(`${answer.number}. does not count: this recording shows something else than the one from which the question was made.`);
  }
  const text = readText(root, chapter);
  for (const miss of sortMisses(answers)) {
    const how = miss.value === null ? ': you did not know' : `, and you were ${describeSureness(miss.sureness)}`;
    dialogue.say(`\n${paint('bold', `${miss.number}. wrong${how}`)}`);
    explainMiss(dialogue, miss, { root, chapter, other, view, recordings, text });
  }
  suggestNext(dialogue, { answers, chapter, view, session });
}

const describeSureness = (sureness) => (sureness === 1 ? 'guessing' : surenessWords[sureness]);

const nameValue = ({ values, nameValue: name }, value) => (values === null ? String(value) : name(value));

function explainMiss(dialogue, { question, value, right, isOther }, { root, chapter, other, view, recordings, text }) {
  dialogue.say(question.text);
  question.lines.forEach((line) => dialogue.show(`    ${line}`));
  if (value !== null) dialogue.say(`you said: ${nameValue(question, value)}`);
  dialogue.say(`it is:    ${nameValue(question, right)}`);
  if (isOther) dialogue.say('(The recording from which the question was made said something else. This one is the later one, and decides.)');
  const lines = view.show(question.isGone ? recordings.there : recordings.here, question.spotsIn(recordings));
  if (lines.length > 0) dialogue.show([`${view.seen}:`, ...lines].join('\n'));
  const code = findCode(root, chapter, other, question.calls.filter(Boolean), { isGone: question.isGone, isAbsent: ['nobody', 'none', 0].includes(right) });
  code.forEach(({ path, line, text: words }, at) => dialogue.show(`${at === 0 ? 'the code:' : '         '} ${path}:${line}  ${words}`));
  const places = [findInText(text, code), findPrediction(text)].filter(Boolean);
  if (places.length > 0) dialogue.say(`the text: ${places.map(({ line, heading }) => `docs/${chapter}.md:${line} (${heading})`).join(', ')}`);
}

function suggestNext(dialogue, { answers, chapter, view, session }) {
  const wrong = sortMisses(answers);
  dialogue.say('');
  const surest = wrong.length > 1 && wrong[0].sureness > 1 ? ', and of them what you were surest of' : '';
  if (wrong.length > 0) dialogue.say(`Noted: next time, without --seed, ${wrong.length === 1 ? 'this one comes' : 'these come'} first${surest}.`);
  dialogue.say(`All of it: ./learn ${view.command} ${Number(chapter.slice(0, 2))}${session === 'one' ? '' : ` --session ${session}`}`);
}
