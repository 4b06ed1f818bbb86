// The form of a chapter's text: its sections, and what each of them must have.

import { checkQuiz } from './quiz.mjs';

const sectionNames = [
  'In plain words',
  'Why',
  'The diff',
  'Predict, then watch',
  'What it costs',
  'What it still cannot do',
  'Think',
  'Quiz',
  'If you are confused',
  'Practice',
  'Read on',
];

// What the learner types there: each of these sections says it.
const commands = { 'Predict, then watch': 'predict', Quiz: 'quiz', Practice: 'practice' };

const leastThoughts = 3;
const leastConfusions = 5;

// A text with the marker `unfinished`, as tools/insert-chapter makes it, has its sections, and need have nothing in them.
export const isUnfinished = (document) => document.markersNamed('unfinished').length > 0;

export function checkForm(document, isFirstChapter, report) {
  const add = (line, message) => report.add(document.path, line, message);
  checkTitle(document, add);
  checkSections(document, isFirstChapter ? sectionsOfFirstChapter() : sectionNames, add);
  checkFolds(document, add);
  if (isUnfinished(document)) return;
  checkSection(document, 'In plain words', checkPicture, add);
  checkSection(document, 'Think', checkThoughts, add);
  checkSection(document, 'Quiz', checkQuiz, add);
  checkSection(document, 'If you are confused', checkConfusions, add);
  const number = Number(/\d+/.exec(document.path)?.[0]);
  for (const [name, command] of Object.entries(commands)) {
    checkSection(document, name, (...place) => checkCommand(`./learn ${command} ${number}`, ...place), add);
  }
}

// Every chapter has its text, and every numbered text its chapter.
export function checkPairs(project, report) {
  const names = new Set(project.chapters.map((chapter) => chapter.name));
  for (const { name, folder } of project.chapters) {
    if (!project.documentPaths.includes(`docs/${name}.md`)) report.add(`docs/${name}.md`, 1, `${folder} has no text; write this file`);
  }
  for (const path of project.documentPaths.filter((path) => project.isChapterDocument(path))) {
    const name = path.slice('docs/'.length, -'.md'.length);
    if (!names.has(name)) report.add(path, 1, `there is no chapter chapters/${name}; rename this file, or the chapter's folder`);
  }
}

function sectionsOfFirstChapter() {
  return sectionNames.filter((name) => name !== 'Why').map((name) => (name === 'The diff' ? 'The code' : name));
}

function checkTitle(document, add) {
  const index = document.lines.findIndex((line) => line.trim() !== '');
  const titles = document.headings.filter((heading) => heading.level === 1);
  if (titles[0]?.line !== index + 1) add(index + 1 || 1, 'the text does not begin with its title; put "# Title" first');
  for (const { line } of titles.slice(1)) add(line, 'this is a second title; make it a section (##) or smaller');
}

function checkSections(document, expected, add) {
  const seen = new Map();
  let latest = -1;
  for (const { text, line } of document.headings.filter((heading) => heading.level === 2)) {
    const place = expected.indexOf(text);
    if (place < 0) add(line, `"## ${text}" is no section of a chapter; the sections are: ${expected.join(', ')}`);
    else if (seen.has(text)) add(line, `"## ${text}" is here a second time, after line ${seen.get(text)}; put the two together`);
    else if (place < latest) add(line, `"## ${text}" is out of order; it belongs before "## ${expected[latest]}"`);
    if (place >= 0 && !seen.has(text)) seen.set(text, line);
    latest = Math.max(latest, place);
  }
  expected.forEach((name, place) => {
    if (seen.has(name)) return;
    const next = expected.slice(place + 1).find((other) => seen.has(other));
    add(seen.get(next) ?? document.lines.length, `the section "## ${name}" is missing; ${next ? `it belongs before "## ${next}"` : 'it belongs at the end'}`);
  });
}

// A <details> that is never closed folds away the rest of the page. Markdown inside is read as such only
// after a blank line.
function checkFolds(document, add) {
  const open = [];
  document.lines.forEach((line, index) => {
    if (!document.isProse[index]) return;
    const text = line.replace(/`[^`]*`/g, '');
    for (const [tag] of text.matchAll(/<\/?details\b/g)) {
      if (tag === '<details') open.push(index + 1);
      else if (open.pop() === undefined) add(index + 1, 'this </details> closes nothing; take it out');
    }
    const needsBlank = text.trimEnd().endsWith('</summary>') && document.lines[index + 1]?.trim() !== '';
    if (needsBlank) add(index + 1, 'no blank line follows </summary>, so the Markdown below it would be shown as it is typed; add one');
  });
  for (const line of open) add(line, 'this <details> is never closed; add </details>');
}

function checkSection(document, name, check, add) {
  const heading = document.headings.find((other) => other.level === 2 && other.text === name);
  if (heading) check(document, { line: heading.line, ...document.sectionRange(heading) }, add);
}

function checkPicture(document, { line, start, end }, add) {
  const hasDiagram = document.fences.some((fence) => fence.open >= start && fence.open < end && fence.language.split(/\s/)[0] === 'mermaid');
  const hasImage = document.lines.slice(start, end).some((text, offset) => document.isProse[start + offset] && /!\[|<img\b/.test(text));
  if (!hasDiagram && !hasImage) add(line, '"In plain words" has no picture; add a ```mermaid fence or an image');
}

function checkCommand(command, document, { line, start, end }, add) {
  const isThere = document.lines.slice(start, end).some((text) => text.includes(`\`${command}\``) || text.trim() === command);
  if (!isThere) add(line, `this section does not say what to type: name \`${command}\` in it`);
}

function checkThoughts(document, { line, start, end }, add) {
  const count = countProse(document, start, end, /<details\b/);
  if (count < leastThoughts) add(line, `"Think" has ${count} questions with an answer in <details>; write at least ${leastThoughts}`);
}

function checkConfusions(document, { line, start, end }, add) {
  const isDelimiter = (text) => /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(text) && text.includes('|');
  const delimiter = document.lines.findIndex((text, index) => index >= start && index < end && document.isProse[index] && isDelimiter(text));
  if (delimiter < 0) return add(line, '"If you are confused" has no table; add one: you see, because, look with');
  let rows = 0;
  while (delimiter + 1 + rows < end && document.lines[delimiter + 1 + rows].includes('|')) rows += 1;
  if (rows < leastConfusions) add(delimiter + 1, `this table has ${rows} rows; write at least ${leastConfusions}`);
}

function countProse(document, start, end, form) {
  return document.lines.slice(start, end).filter((text, offset) => document.isProse[start + offset] && form.test(text)).length;
}
