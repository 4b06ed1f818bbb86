// What a prompt takes from a chapter's text: its sections without whatever a learner is to find, its recorded traces, its
// table of confusions, the questions of its quiz.

import { Document } from '../docs/lib/markdown.mjs';

// In these sections each fold holds an answer; elsewhere those whose summary says so.
const sectionsOfAnswers = /^(predict|think|quiz|practice)/i;
const summaryOfAnswer = /\b(answers?|hints?|solutions?)\b|\byou (should|will) (see|have)\b/i;
const summaryOfTasks = /\bexercises?\b/i; // a fold of Practice that holds tasks: what it folds again are the answers
const sectionsApart = /^(quiz|if you are confused|read on)/i;

/**
 * Reads the text of a chapter, whose path is `path`. Returns
 *   sections    [{title, line, lines}]: prose, each paragraph with its line of the file in front
 *   traces      [{title, lines}]: what `./learn trace` has printed under *Predict*
 *   confusions  {line, lines}, or null
 *   questions   [string]: what the quiz asks, without options and answers
 */
export function readText(path, text, chapter) {
  const document = new Document(path, text);
  const sections = document.headings.filter(({ level }) => level === 2).map((heading) => ({ heading, ...document.sectionRange(heading) }));
  const confusions = sections.find(({ heading }) => /^if you are confused/i.test(heading.text));
  return {
    sections: sections.filter(({ heading }) => !sectionsApart.test(heading.text)).map((section) => ({
      title: section.heading.text, line: section.heading.line, lines: showSection(document, section, chapter),
    })),
    traces: findTraces(document, sections.find(({ heading }) => /^predict/i.test(heading.text))),
    confusions: confusions ? { line: confusions.heading.line, lines: showConfusions(document, confusions) } : null,
    questions: document.markersNamed('quiz').map((marker) => readQuestion(document, marker)),
  };
}

function showSection(document, { heading, start, end }, chapter) {
  const kept = [];
  const folds = []; // of each open one: whether what is in it is left out
  const isHidden = () => folds.includes(true);
  const shown = new Map(document.markers.map((marker) => [document.findFence(marker)?.open, marker]));
  for (let index = start; index < end; index += 1) {
    const line = document.lines[index];
    const fence = document.fences.find(({ open }) => open === index);
    if (fence) {
      const last = fence.close ?? document.lines.length - 1;
      if (!isHidden()) kept.push(...showFence(document, fence, shown.get(index), chapter));
      index = last;
    } else if (document.isProse[index]) {
      const opening = /^\s*<details\b[^>]*>\s*(.*)$/.exec(line);
      if (opening) {
        const summary = readSummary(document, index);
        folds.push(holdsAnswer(heading.text, summary, folds.length));
        if (!isHidden()) kept.push({ index, text: `(folded in the text) ${summary}` });
        while (!/<\/summary>/.test(document.lines[index]) && index < end - 1) index += 1;
      } else if (/^\s*<\/details>/.test(line)) folds.pop();
      else if (!isHidden()) kept.push({ index, text: line });
    }
  }
  return numberParagraphs(kept);
}

function holdsAnswer(section, summary, depth) {
  if (sectionsOfAnswers.test(section)) return depth > 0 || !summaryOfTasks.test(summary) || summaryOfAnswer.test(summary);
  return summaryOfAnswer.test(summary);
}

function readSummary(document, index) {
  const words = document.lines.slice(index, index + 4).join(' ');
  return unmark(/<summary>([\s\S]*?)<\/summary>/.exec(words)?.[1] ?? '');
}

const unmark = (text) => text.replace(/<\/?code>/g, '`').replace(/<[^>]*>/g, '').replace(/\s+/g, ' ').trim();

// What stands whole in the prompt's diff or code is named, and not shown twice.
function showFence(document, fence, marker, chapter) {
  const [subject = '', ...rest] = (marker?.rest ?? '').split(' ');
  const isOfChapter = !subject.includes('/') && rest[0] !== 'from';
  if (marker && isOfChapter && ['diff', 'file', 'code'].includes(marker.word)) {
    const place = rest.length === 0 ? subject : `${subject}, ${rest.join(' ')}`;
    return [{ index: fence.open, text: `(here the text shows ${marker.word === 'diff' ? 'a part of the diff' : 'code'}: ${place})` }];
  }
  const lines = document.fenceContent(fence);
  const title = marker?.word === 'diff' ? [{ index: fence.open, text: `(compared with another chapter than the one before ${chapter}: ${marker.rest})` }] : [];
  return [...title, { index: fence.open, fence: [document.lines[fence.open], ...lines, document.lines[fence.close] ?? '```'] }];
}

// A number at each place that a reply may want to cite: a paragraph, an item of a list, a row of a table, a fence.
function numberParagraphs(pieces) {
  const lines = [];
  let paragraph = null;
  const finish = () => {
    if (paragraph) lines.push(...dropLinks(dropBugs(paragraph.text)).split('\n').map((text, at) => (at === 0 ? `[${paragraph.index + 1}] ${text}` : text)));
    paragraph = null;
  };
  for (const { index, text, fence } of pieces) {
    if (fence) {
      finish();
      lines.push(`[${index + 1}]`, ...fence);
    } else if (text.trim() === '') {
      finish();
      if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
    } else if (paragraph && !/^\s*(\||#|[-*] |\d+\. |\(here the text|\(folded)/.test(text)) paragraph.text += `\n${text}`;
    else {
      finish();
      if (/^\s*\|[\s:|-]+\|\s*$/.test(text)) lines.push(text);
      else paragraph = { index, text };
    }
  }
  finish();
  while (lines.at(-1) === '') lines.pop();
  return lines;
}

// A sentence that tells a cause would tell which planted bug has it; the sentence is the chapter's, the number is not for the tutor.
const dropBugs = (text) => text.replace(/\s*\([^()]*\bbugs?\s+\d[^()]*\)/gi, '')
  .replace(/\b(b)ugs?\s+\d+/gi, (_, first) => `${first === 'B' ? 'One' : 'one'} of the planted bugs`);

// A link's target is of no use to a reader who has only the prompt.
function dropLinks(text) {
  return text.split(/(`+[^`]+`+)/).map((part, at) => (at % 2 === 1 ? part : part.replace(/\[([^\][]+)\]\([^()\s]+\)/g, '$1').replace(/<!--.*?-->/g, ''))).join('')
    .replace(/\[((?:`[^`]+`|[^`\][])+)\]\([^()\s]+\)/g, '$1');
}

function findTraces(document, section) {
  if (!section) return [];
  return document.markersNamed('run').filter(({ index, rest }) => index >= section.start && index < section.end && /\.\/learn trace\b/.test(rest))
    .map((marker) => ({ marker, fence: document.findFence(marker) })).filter(({ fence }) => fence)
    .map(({ marker, fence }) => ({ title: findTitle(document, marker), lines: document.fenceContent(fence) }));
}

// The summary of the fold in which a session stands; of one that stands open, its command.
function findTitle(document, marker) {
  for (let index = marker.index; index > marker.index - 4 && index >= 0; index -= 1) {
    if (/^\s*<details\b/.test(document.lines[index])) return readSummary(document, index);
  }
  return `\`${/\.\/learn trace[^|)]*/.exec(marker.rest)[0].trim()}\``;
}

// A row that names a planted bug would give away its cause.
function showConfusions(document, { start, end }) {
  const pieces = [];
  for (let index = start; index < end; index += 1) {
    const text = document.lines[index];
    if (document.isProse[index] && !/\bbugs? \d/i.test(text)) pieces.push({ index, text });
  }
  return numberParagraphs(pieces);
}

function readQuestion(document, marker) {
  const lines = document.lines.slice(marker.index + 1);
  const end = lines.findIndex((line) => /^\s*(- |<details)/.test(line));
  return lines.slice(0, end).join(' ').replace(/\*\*/g, '').replace(/\s+/g, ' ').trim();
}
