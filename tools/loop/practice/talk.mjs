// What practice says and asks. Stdin is read only when something is asked: before that it may be for an installation.

import { isCapable, makePainter } from '../../observe/colour.mjs';
import { Dialogue, findWidth, wrap } from '../dialogue.mjs';

export class Talk {
  #scope;
  #dialogue;

  constructor(scope) {
    this.#scope = scope;
    this.paint = makePainter();
    this.isYes = Boolean(process.env.LEARN_YES);
  }

  say(text = '') {
    process.stdout.write(`${wrap(text, findWidth())}\n`);
  }

  /** Text as it is, such as a command that must not be broken. */
  show(text) {
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** A diff, with the colours of one where there are colours; the signs are there in any case. */
  showDiff(text) {
    const styles = { '+': 'green', '-': 'red', '@': 'cyan' };
    const paintLine = (line) => (styles[line[0]] ? this.paint(styles[line[0]], line) : line);
    this.show(isCapable() ? text.split('\n').map(paintLine).join('\n') : text);
  }

  /** The line that is answered; null at the end of the input. */
  ask(prompt) {
    this.#dialogue ??= new Dialogue(this.#scope);
    return this.#dialogue.ask(prompt);
  }

  /** Whether a question is answered with yes. No answer is a no. --yes is a yes. */
  async confirm(question) {
    if (this.isYes) return true;
    return /^y/i.test(await this.ask(`${question} [y/N] `) ?? '');
  }
}
