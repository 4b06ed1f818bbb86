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
//
//   What belongs to none of the options stands before the first "Not", or in a paragraph of its own.
//   </details>
//   <!-- /quiz -->
//
// Two options with one reason share it: "Not A and not C: ...". The check of the texts and ./learn quiz read it here.

const fewestQuestions = 4;
const mostQuestions = 6;
const fewestOptions = 3;

/**
 * The questions of a document, in their order: {line, wording, options: [{letter, text}], right, why, reasons, more,
 * problems: [{line, message}]}. `wording` may be followed by more of the question, as code. `reasons` is a Map from a
 * wrong letter to its {text, letters}; text begins with "Not A: ", letters are those that share it. `why` says what is
 * right, `more` what belongs to no option. All texts are Markdown. A question with problems may lack any of these.
 */
export function parseQuiz(document) {
  return pairMarkers(document.markersNamed('quiz', '/quiz'), () => {}).map((markers) => parseQuestion(document, markers));
}

export function checkQuiz(document, { line, start, end }, add) {
  const markers = document.markersNamed('quiz', '/quiz').filter(({ index }) => index >= start && index < end);
  const pairs = pairMarkers(markers, add);
  if (pairs.length < fewestQuestions || pairs.length > mostQuestions) {
    add(line, `the quiz has ${pairs.length} questions; write ${fewestQuestions} to ${mostQuestions}`);
  }
  for (const pair of pairs) {
    for (const problem of parseQuestion(document, pair).problems) add(problem.line, problem.message);
  }
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

function parseQuestion(document, { open, close }) {
  const lines = document.lines.slice(open.index + 1, close.index);
  const isProse = document.isProse.slice(open.index + 1, close.index);
  const question = { line: open.line, options: [], reasons: new Map(), problems: [] };
  const add = (line, message) => question.problems.push({ line, message });
  const lineOf = (offset) => open.line + 1 + offset;
  const fold = lines.findIndex((text, offset) => isProse[offset] && /^\s*<details\b/.test(text));
  if (fold < 0) {
    add(open.line, 'this question has no <details><summary>Answer</summary>; fold its answer into one');
    return question;
  }

  readOptions(lines.slice(0, fold), isProse, lineOf, question, add);
  checkWording(lines.slice(0, fold), question, add);
  if (!/^<details><summary>Answer<\/summary>/.test(lines.slice(fold, fold + 2).map((text) => text.trim()).join(''))) {
    add(lineOf(fold), 'the fold of an answer begins with <details><summary>Answer</summary>; write it so');
  }
  const foldEnd = lines.findIndex((text, offset) => offset > fold && /<\/details>/.test(text));
  if (foldEnd < 0) add(lineOf(fold), 'the fold of this answer has no </details> before <!-- /quiz -->; add it');
  else readAnswer(lines.slice(fold, foldEnd + 1).join('\n'), lineOf(fold), question, add);
  return question;
}

// Reads the wording, which ends where the first option begins, and the options.
function readOptions(lines, isProse, lineOf, question, add) {
  const { options } = question;
  const first = lines.findIndex((text, offset) => isProse[offset] && /^- /.test(text));
  question.wording = lines.slice(0, first < 0 ? lines.length : first).join('\n').trim();
  lines.forEach((text, offset) => {
    if (first < 0 || offset < first || !isProse[offset]) return;
    if (!/^- /.test(text)) {
      if (text.trim() !== '' && options.length > 0) options.at(-1).text += `\n${text.trim()}`;
      return;
    }
    const [, letter, words] = /^- ([A-Z])\. (\S.*)/.exec(text) ?? [];
    const expected = String.fromCharCode('A'.charCodeAt(0) + options.length);
    if (letter !== expected) add(lineOf(offset), `this option should begin with "- ${expected}. " and a text; write it so`);
    options.push({ letter: expected, text: words ?? text.slice(2) });
  });
  if (options.length < fewestOptions) add(question.line, `this question has ${options.length} options; write at least ${fewestOptions}, as "- A. text"`);
}

function checkWording(lines, { line }, add) {
  const words = lines.join('\n').trim().split(/\n\s*\n|\n(?=- )/)[0];
  if (!/^\*\*[^*][\s\S]*\*\*$/.test(words.trim())) add(line, 'the question is not bold; write **The question?** directly after <!-- quiz -->');
  const bold = lines.filter((text) => /^\*\*/.test(text));
  if (bold.length > 1) add(line, 'there are two bold questions between <!-- quiz --> and <!-- /quiz -->; give each its own');
}

function readAnswer(fold, line, question, add) {
  const text = fold.replace(/<\/?(?:details|summary)\b[^>]*>/g, ' ').replace(/^\s*Answer\s/, '').trim();
  question.right = /^\*\*([A-Z])\.\*\*/.exec(text)?.[1];
  const letters = question.options.map(({ letter }) => letter);
  if (!question.right) return add(line, 'the answer does not open with the right letter; begin it with **B.** or the like');
  if (!letters.includes(question.right)) return add(line, `the answer is ${question.right}, which is no option of this question; correct the letter`);
  readReasons(text.slice('**B.**'.length).trim(), line, question, add);
  for (const letter of letters) {
    if (letter !== question.right && !question.reasons.has(letter)) {
      add(line, `the answer does not say why ${letter} is wrong; add a sentence such as "Not ${letter}: ..."`);
    }
  }
}

// "Not A: ", "Not A and not C: ", at the beginning of a sentence, and not in code.
const labelForm = /(?<=^|[.!?:;)"”*]\s+)Not ([A-Z])((?:,? (?:and|or) not [A-Z]|, not [A-Z])*):\s*/g;

/** Splits an explanation at its "Not A:"; a reason goes on to the next of them, or to the end of its paragraph. */
function readReasons(explanation, line, question, add) {
  const [why, more] = [[], []];
  for (const paragraph of explanation.split(/\n\s*\n/).map((text) => text.replace(/\s+/g, ' ').trim()).filter(Boolean)) {
    const masked = paragraph.replace(/`[^`]*`/g, (code) => 'x'.repeat(code.length));
    const labels = [...masked.matchAll(labelForm)];
    const before = paragraph.slice(0, labels[0]?.index).trim();
    if (before !== '') (question.reasons.size === 0 ? why : more).push(before);
    labels.forEach((label, index) => {
      const text = paragraph.slice(label.index, labels[index + 1]?.index).trim();
      addReason(text, [label[1], ...[...label[2].matchAll(/not ([A-Z])/g)].map(([, letter]) => letter)], text.length > label[0].trim().length, line, question, add);
    });
  }
  question.why = why.join('\n\n');
  question.more = more.join('\n\n');
  if (question.why === '') add(line, `the answer does not say why ${question.right} is right; add a sentence after **${question.right}.**`);
}

function addReason(text, letters, hasWords, line, question, add) {
  for (const letter of letters) {
    if (!question.options.some((option) => option.letter === letter)) add(line, `the answer says "Not ${letter}", which is no option of this question; correct the letter`);
    else if (letter === question.right) add(line, `the answer says "Not ${letter}", and ${letter} is the right one; correct the letter`);
    else if (question.reasons.has(letter)) add(line, `the answer says twice why ${letter} is wrong; put the two together`);
    else if (!hasWords) add(line, `"Not ${letter}:" gives no reason; say why ${letter} is wrong`);
    else question.reasons.set(letter, { text, letters });
  }
}
