// Asks questions with options, one at a time, and writes down how they were answered.

import { joinLetters, readAnswer } from './answer.mjs';
import { renderMarkdown } from './markdown.mjs';

export class QuizSession {
  #dialogue;
  #progress;
  #open = null; // {question, tried: [letter...]}: a question that has been answered, but not yet right
  answered = 0;
  rightAtFirst = 0;

  /** What was answered is written down also when the scope ends in the middle of a question. */
  constructor(scope, dialogue, progress) {
    this.#dialogue = dialogue;
    this.#progress = progress;
    scope.defer(() => this.#noteOpen());
  }

  /** Asks one question until it is answered right; returns false when the learner has left. `title` stands above it. */
  async ask(question, title) {
    const letters = question.options.map(({ letter }) => letter);
    this.#present(question, title);
    const tried = [];
    while (true) {
      const line = await this.#dialogue.ask(tried.length === 0 ? `your answer (${letters[0]} to ${letters.at(-1)}): ` : 'another answer: ');
      if (line === null) return this.#leave();
      if (/^\?+$/.test(line.trim())) return this.#tell(question, tried);
      const answer = readAnswer(line, question.options);
      if (answer.leave) return this.#leave();
      if (answer.words !== undefined) this.#dialogue.say(`taken for ${answer.letter}`);
      if (answer.letter === undefined) this.#explainForm(answer, letters);
      else if (answer.letter === question.right) return this.#accept(question, tried);
      else this.#refute(question, tried, answer.letter);
    }
  }

  #present(question, title) {
    const { paint } = this.#dialogue;
    this.#dialogue.say(`\n${paint('bold', title)}\n`);
    this.#dialogue.say(`${this.#render(question.wording)}\n`);
    for (const { letter, text } of question.options) this.#dialogue.say(`${letter}. ${this.#render(text)}`);
    this.#dialogue.say();
  }

  #render(text) {
    return renderMarkdown(text, { paint: this.#dialogue.paint });
  }

  #explainForm({ fits, unknown }, letters) {
    if (unknown) this.#dialogue.say(`There is no ${unknown}: the options are ${joinLetters(letters, 'and')}.`);
    else if (fits) this.#dialogue.say(`Those words begin ${joinLetters(fits, 'and')}: type one of the letters.`);
    else this.#dialogue.say(`Type the letter of the option that you mean: ${joinLetters(letters)}. Its first words will do, too. (Ctrl-D leaves.)`);
  }

  #refute(question, tried, letter) {
    const { text } = question.reasons.get(letter);
    if (tried.includes(letter)) return this.#dialogue.say(`You have tried ${letter}. ${this.#render(text)}`);
    tried.push(letter);
    this.#open = { question, tried };
    this.#dialogue.say(`${this.#dialogue.paint('yellow', 'Wrong.')} ${this.#render(text)}`);
  }

  #accept(question, tried) {
    this.#close(question, tried.length === 0 ? 'right' : 'wrong', tried.length + 1);
    this.#explain(question, tried, this.#dialogue.paint('green', `Right, ${question.right}.`));
    return true;
  }

  // "I do not know": it counts as wrong, and nobody has to guess.
  #tell(question, tried) {
    this.#close(question, 'wrong', tried.length + 1);
    this.#explain(question, tried, this.#dialogue.paint('yellow', `It is ${question.right}.`));
    return true;
  }

  #close(question, result, number) {
    this.#open = null;
    this.answered += 1;
    this.rightAtFirst += Number(result === 'right');
    this.#note(question, result, number);
  }

  #explain(question, tried, opening) {
    this.#dialogue.say(`${opening} ${this.#render(question.why)}`);
    // The reasons that have not been told, each once: a reason may be that of two options.
    const told = new Set(tried.map((letter) => question.reasons.get(letter)));
    for (const { letter } of question.options) {
      const reason = question.reasons.get(letter);
      if (reason === undefined || told.has(reason)) continue;
      told.add(reason);
      this.#dialogue.say(this.#render(reason.text));
    }
    if (question.more !== '') this.#dialogue.say(this.#render(question.more));
  }

  #leave() {
    this.#noteOpen();
    return false;
  }

  #noteOpen() {
    if (this.#open === null) return;
    const { question, tried } = this.#open;
    this.#open = null;
    this.answered += 1;
    this.#note(question, 'wrong', tried.length);
  }

  #note({ chapter, id }, result, number) {
    this.#progress.add({ chapter, kind: 'quiz', id, hash: id, result, number });
  }
}
