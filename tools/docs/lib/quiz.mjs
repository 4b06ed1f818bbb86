// The quiz of a chapter. One question is
//
//   <!-- quiz -->
//   **What is left of the child?**
//   - A. Nothing.
//   - B. An entry in the process table.
//   - C. Its memory.
//
//   <details><summary>Answer</summary>
//
//   **B.** The entry keeps the exit status. Not A: somebody may still ask. Not C: memory is gone at exit.
//   </details>
//   <!-- /quiz -->

const fewestQuestions = 4;
const mostQuestions = 6;
const fewestOptions = 3;

export function checkQuiz(document, { line, start, end }, add) {
  const markers = document.markersNamed('quiz', '/quiz').filter(({ index }) => index >= start && index < end);
  const questions = pairMarkers(markers, add);
  if (questions.length < fewestQuestions || questions.length > mostQuestions) {
    add(line, `the quiz has ${questions.length} questions; write ${fewestQuestions} to ${mostQuestions}`);
  }
  for (const question of questions) checkQuestion(document, question, add);
}

function pairMarkers(markers, add) {
  const questions = [];
  let open = null;
  for (const marker of markers) {
    if (marker.word === 'quiz') {
      if (open) add(open.line, 'this question has no <!-- /quiz --> before the next one begins; add it');
      open = marker;
    } else if (open) {
      questions.push({ open, close: marker });
      open = null;
    } else {
      add(marker.line, 'this <!-- /quiz --> has no <!-- quiz --> before it; add it, or take this out');
    }
  }
  if (open) add(open.line, 'this question has no <!-- /quiz --> after it; add it');
  return questions;
}

function checkQuestion(document, { open, close }, add) {
  const lines = document.lines.slice(open.index + 1, close.index);
  const lineOf = (offset) => open.line + 1 + offset;
  const fold = lines.findIndex((text) => /^\s*<details\b/.test(text));
  if (fold < 0) return add(open.line, 'this question has no <details><summary>Answer</summary>; fold its answer into one');

  const letters = checkOptions(lines.slice(0, fold), lineOf, open, add);
  checkWording(lines.slice(0, fold), open, add);
  if (!/^<details><summary>Answer<\/summary>/.test(lines.slice(fold, fold + 2).map((text) => text.trim()).join(''))) {
    add(lineOf(fold), 'the fold of an answer begins with <details><summary>Answer</summary>; write it so');
  }
  const foldEnd = lines.findIndex((text, offset) => offset > fold && /<\/details>/.test(text));
  if (foldEnd < 0) return add(lineOf(fold), 'the fold of this answer has no </details> before <!-- /quiz -->; add it');
  checkAnswer(lines.slice(fold, foldEnd + 1), letters, lineOf(fold), add);
}

function checkWording(lines, open, add) {
  const words = lines.join('\n').trim().split(/\n\s*\n|\n(?=- )/)[0];
  if (!/^\*\*[^*][\s\S]*\*\*$/.test(words.trim())) add(open.line, 'the question is not bold; write **The question?** directly after <!-- quiz -->');
  const bold = lines.filter((text) => /^\*\*/.test(text));
  if (bold.length > 1) add(open.line, 'there are two bold questions between <!-- quiz --> and <!-- /quiz -->; give each its own');
}

// Returns the letters of the options, in order.
function checkOptions(lines, lineOf, open, add) {
  const letters = [];
  lines.forEach((text, offset) => {
    if (!/^- /.test(text)) return;
    const letter = /^- ([A-Z])\. \S/.exec(text)?.[1];
    const expected = String.fromCharCode('A'.charCodeAt(0) + letters.length);
    if (letter !== expected) add(lineOf(offset), `this option should begin with "- ${expected}. " and a text; write it so`);
    letters.push(expected);
  });
  if (letters.length < fewestOptions) add(open.line, `this question has ${letters.length} options; write at least ${fewestOptions}, as "- A. text"`);
  return letters;
}

function checkAnswer(lines, letters, line, add) {
  const text = lines.join('\n').replace(/<[^>]*>/g, ' ').replace(/^\s*Answer\s/, '').replace(/`[^`]*`/g, ' ').trim();
  const right = /^\*\*([A-Z])\.\*\*/.exec(text)?.[1];
  if (!right) return add(line, 'the answer does not open with the right letter; begin it with **B.** or the like');
  if (!letters.includes(right)) return add(line, `the answer is ${right}, which is no option of this question; correct the letter`);
  const explanation = text.slice('**B.**'.length);
  for (const letter of letters) {
    if (letter !== right && !mentionsOption(explanation, letter)) {
      add(line, `the answer does not say why ${letter} is wrong; add a sentence such as "Not ${letter}: ..."`);
    }
  }
}

// A letter on its own names an option, except C++, and an A that begins a sentence as an article does:
// there the word after it must be one that an article cannot have.
function mentionsOption(text, letter) {
  const verbs = 'is|was|would|cannot|can|could|does|did|has|will|may|might|sounds|seems|describes|confuses|forgets|mixes|holds|names|and [A-Z]\\b|or [A-Z]\\b';
  const alone = `(?<![\\p{L}\\p{N}_])${letter}(?![\\p{L}\\p{N}_+#'’])`;
  const startsSentence = '(?<=(?:^|[.!?:]["”)*_]*)\\s*["“(]?)';
  const asArticle = new RegExp(`${startsSentence}${alone}(?!\\s*[:,.;)*]|\\s+(?:${verbs}))`, 'gu');
  return new RegExp(alone, 'u').test(letter === 'A' ? text.replace(asArticle, ' ') : text);
}
