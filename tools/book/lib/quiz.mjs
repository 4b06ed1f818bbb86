// A question with its options. Each option is a fold with its own answer in it, so that it works in a page without JavaScript; with it, the
// first answer is noted in the reader's progress, as ./learn quiz notes it.

import { identify } from '../../loop/questions.mjs';
import { nameOf } from '../../loop/progress.mjs';
import { escapeHtml } from '../view/html.mjs';

/** `block` and `inline` render Markdown. */
export function renderQuestion(question, number, page, block, inline) {
  const chapter = page.chapter ? nameOf(page.chapter.name) : '';
  const { wording, options, right, why, reasons, more } = question;
  const name = `question-${number}`;
  const choices = options.map(({ letter, text }) => {
    const isRight = letter === right;
    const answer = isRight ? `<p><strong>Right.</strong></p>${block([why, more].filter(Boolean).join('\n\n'))}` : `<p><strong>Wrong.</strong></p>${block(withoutLabel(reasons.get(letter).text))}`;
    return `<details class="option ${isRight ? 'right' : 'wrong'}" data-letter=${letter}><summary><b>${letter}.</b> <span>${inline(text)}</span></summary><div class=reply>${answer}</div></details>`;
  });
  const told = [...new Set([...reasons.values()].map(({ text }) => text))];
  const tell = `<details class=tell><summary>I do not know</summary><div class=reply><p><strong>It is ${right}.</strong></p>${block([why, ...told, more].filter(Boolean).join('\n\n'))}</div></details>`;
  return `<section class=quiz id="${name}" aria-labelledby="${name}-words" data-chapter="${escapeHtml(chapter)}" data-id="${identify(question)}">
<div class=wording id="${name}-words">${block(wording)}</div>
${choices.join('\n')}
${tell}
<p class=verdict role=status></p>
</section>
`;
}

// Under its own option a reason needs no "Not A:".
function withoutLabel(text) {
  const words = text.replace(/^Not [A-Z][^:]*:\s*/, '');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
