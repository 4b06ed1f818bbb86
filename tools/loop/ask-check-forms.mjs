// The form of a turn in each mode: which parts it must have, in which order, and what they may not hold.

import { citesAnything, findCommands } from './ask-references.mjs';
import { areAlike, countQuestions, findCode, readParts } from './ask-turns.mjs';

/**
 * Tells `add(line, words)` what is wrong with the form of a turn. `turns` are all of the reply; `taken` has {questions,
 * symptoms} that the text and the planted bugs have used.
 */
export function checkForm(turn, turns, taken, add) {
  const form = new Form(turn, turns, add);
  if (form.parts.length === 0) return add(turn.line, `it has none of the labels of ${turn.mode}`);
  ({ explain: checkExplain, socratic: checkSocratic, quiz: checkQuiz, diagnose: checkDiagnose, practice: checkPractice })[turn.mode](form, taken);
}

class Form {
  constructor(turn, turns, add) {
    this.turn = turn;
    this.turns = turns;
    this.parts = readParts(turn);
    this.add = add;
  }

  all(label) {
    return this.parts.filter((part) => part.label === label);
  }

  first(label) {
    return this.parts.find((part) => part.label === label);
  }

  /** Says which of the labels are missing, or have nothing behind them. */
  demand(...names) {
    for (const label of names) {
      const found = this.all(label);
      if (found.length === 0) this.add(this.turn.line, `"${label}:" is missing`);
      for (const part of found) if (part.text === '') this.add(part.line, `there is nothing behind "${label}:"`);
    }
  }

  refuse(label, reason) {
    for (const part of this.all(label)) this.add(part.line, `"${label}:" ${reason}`);
  }

  demandCitation(...names) {
    for (const part of this.parts.filter(({ label }) => names.includes(label))) {
      const name = part.number === undefined ? part.label : `${part.label} ${part.number}`;
      if (part.text !== '' && !citesAnything(part.text)) this.add(part.line, `"${name}:" cites no place, and does not say "not in the material"`);
    }
  }

  demandCommand(label) {
    for (const part of this.all(label)) {
      if (part.text !== '' && findCommands(part.text).length === 0) this.add(part.line, `"${label}:" names no ./learn command`);
    }
  }

  refuseCode(reason) {
    const code = findCode(this.turn.text);
    if (code) this.add(this.turn.line + this.turn.text.split('\n').findIndex((line) => line.includes(code)), `there is code in it, ${reason}: ${code}`);
  }
}

function checkExplain(form) {
  if (form.turn.number === 1) {
    form.demand('Ask');
    for (const label of ['Example', 'Term', 'Teach back']) form.refuse(label, 'stands in turn 1, which only asks what the learner knows');
    for (const part of form.all('Ask')) demandOneQuestion(form, part);
    return;
  }
  form.demand('Example', 'Term', 'See', 'Teach back');
  form.demandCitation('Example', 'Term');
  form.demandCommand('See');
  const [example, term] = [form.first('Example'), form.first('Term')];
  if (example && term && term.line < example.line) form.add(term.line, 'the term comes before its example');
  const last = form.parts.at(-1);
  if (form.first('Teach back') && last.label !== 'Teach back') form.add(last.line, `"${last.label}:" stands behind the teach-back, which ends a turn`);
}

function demandOneQuestion(form, part) {
  const count = countQuestions(part.text);
  if (part.text !== '' && count !== 1) form.add(part.line, `"${part.label}:" asks ${count} questions, and not one`);
}

function checkSocratic(form) {
  form.demand('Look', 'Question');
  form.refuseCode('and socratic shows none');
  const count = countQuestions(form.turn.text);
  if (count !== 1) form.add(form.turn.line, `it asks ${count} questions, and not one`);
  for (const part of form.all('Look')) {
    if (part.text !== '' && !citesAnything(part.text) && findCommands(part.text).length === 0) form.add(part.line, '"Look:" cites no place and names no ./learn command');
  }
  refuseRepeatedHint(form);
}

function refuseRepeatedHint(form) {
  const before = form.turns.slice(0, form.turns.findIndex(({ line }) => line === form.turn.line))
    .flatMap((turn) => readParts({ ...turn, mode: turn.mode ?? form.turn.mode })).filter(({ label }) => label === 'Hint');
  form.all('Hint').forEach((hint, index, own) => {
    const same = [...before, ...own.slice(0, index)].find((other) => areAlike(other.text, hint.text));
    if (same) form.add(hint.line, `the hint is that of line ${same.line}`);
  });
}

function checkQuiz(form, { questions }) {
  if (form.turn.number === 1) {
    form.demand('Question', 'Commit');
    form.refuse('Answer', 'stands in turn 1: the learner commits first');
  } else form.demand('Answer', 'See');
  if (form.all('Question').length > 1) form.add(form.all('Question')[1].line, 'there is a second question; one at a time');
  form.demandCitation('Answer');
  form.demandCommand('See');
  const question = form.first('Question');
  if (!question) return;
  if (form.turn.number !== 1) form.demand('Commit');
  if (form.turn.number !== 1 && form.all('Answer').some(({ line }) => line > question.line)) {
    form.add(question.line, 'its answer stands behind it: the learner commits first');
  }
  const options = question.text.split('\n').filter((line) => /^\s*[-*]?\s*\**[A-Z][.)]/.test(line));
  if (options.length < 3) form.add(question.line, `the question has ${options.length} options; at least three, as "- A. ..."`);
  const words = question.text.split(/\n\s*[-*]?\s*\**A[.)]/)[0];
  if (questions.some((known) => areAlike(known, words))) form.add(question.line, 'the text asks this question already');
}

function checkDiagnose(form) {
  form.demand('Evidence', 'Tell apart', 'If', 'Predict');
  form.refuseCode('and the learner is the one who mends it');
  form.demandCitation('Evidence', 'Hypothesis');
  form.demandCommand('Tell apart');
  const hypotheses = form.all('Hypothesis');
  if (hypotheses.length !== 2) form.add(hypotheses[2]?.line ?? form.turn.line, `it has ${hypotheses.length === 1 ? 'one hypothesis' : `${hypotheses.length} hypotheses`}, and not two`);
  for (const part of form.all('Tell apart')) {
    const count = findCommands(part.text).length;
    if (count > 1) form.add(part.line, `"Tell apart:" names ${count} commands, and not one`);
  }
  for (const number of [1, 2]) {
    if (form.first('If') && !form.all('If').some((part) => part.number === number && part.text !== '')) form.add(form.turn.line, `"If ${number}:" is missing: what the command shows then`);
  }
}

function checkPractice(form, { symptoms }) {
  form.refuseCode('and an exercise never shows its patch');
  refuseRepeatedHint(form);
  const isHint = form.first('Hint') && !form.first('Symptom');
  if (isHint) {
    form.demand('Hint', 'Question');
    return;
  }
  form.demand('Symptom', 'Task', 'Where', 'Check', 'Predict');
  form.refuse('Hint', 'comes with the exercise: a hint waits until the learner asks for it');
  form.demandCitation('Where');
  form.demandCommand('Check');
  const symptom = form.first('Symptom');
  if (symptom && symptoms.some((known) => areAlike(known, symptom.text))) form.add(symptom.line, 'this is the symptom of a planted bug');
}
