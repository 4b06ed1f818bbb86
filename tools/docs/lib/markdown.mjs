// Reads a Markdown document as lines: which of them are fences, headings, markers of this tool, and
// which text is prose. Lines keep their own ends, so that what is not rewritten stays as it was.

import { Problem } from './problem.mjs';

const markerWords = ['diff', 'diff-skip', 'file', 'code', 'code-cover', 'code-skip', 'run', 'test', 'replay', 'quiz', '/quiz', 'figures', '/figures', 'plot', 'unfinished'];

// A marker is an HTML comment on a line of its own that begins with one of the words above.
const markerForm = /^(\s*)<!--\s+(\S+)(?:\s+(.*?))?\s+-->\s*$/;

// ```cpp or ~~~, as far to the right as a list wants it.
const fenceForm = /^(\s*)(`{3,}|~{3,})\s*([^`]*)$/;

const headingForm = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;

export class Document {
  // `path` is relative to the project's root.
  constructor(path, text) {
    this.path = path;
    this.rawLines = text.split('\n');
    this.lines = this.rawLines.map((line) => line.replace(/\r$/, ''));
    this.fences = []; // {open, close, language, indent}: line indexes from 0; close is null when missing
    this.markers = []; // {word, rest, line, index, indent}: line counts from 1, index from 0
    this.headings = []; // {level, text, line}
    this.isProse = this.lines.map(() => true); // false in fences and comments
    this.#scan();
  }

  #scan() {
    let fence = null;
    let inComment = false;
    this.lines.forEach((line, index) => {
      if (fence) {
        this.isProse[index] = false;
        if (closesFence(line, fence)) {
          fence.close = index;
          fence = null;
        }
        return;
      }
      if (inComment || /^\s*<!--/.test(line)) {
        this.isProse[index] = false;
        if (!inComment) this.#readMarker(line, index);
        inComment = !line.includes('-->');
        return;
      }
      const opening = fenceForm.exec(line);
      if (opening) {
        fence = { open: index, close: null, indent: opening[1], ticks: opening[2], language: opening[3].trim() };
        this.fences.push(fence);
        this.isProse[index] = false;
        return;
      }
      const heading = headingForm.exec(line);
      if (heading) this.headings.push({ level: heading[1].length, text: heading[2], line: index + 1 });
    });
  }

  #readMarker(line, index) {
    const [, indent, word, rest = ''] = markerForm.exec(line) ?? [];
    if (markerWords.includes(word)) this.markers.push({ word, rest, line: index + 1, index, indent });
  }

  markersNamed(...words) {
    return this.markers.filter((marker) => words.includes(marker.word));
  }

  // The fence that belongs to a marker: directly after it, or the first thing in a <details> that
  // begins directly after it. Undefined when there is none yet.
  findFence(marker) {
    return this.fences.find((fence) => fence.open === this.#fencePlace(marker));
  }

  #fencePlace(marker) {
    let index = marker.index + 1;
    if (!/^\s*<details\b/.test(this.lines[index] ?? '')) return index;
    while (/^\s*(<(details|\/?summary)\b.*)?$/.test(this.lines[index] ?? 'end')) index += 1;
    return index;
  }

  // What is generated between a `figures` marker and its end: {start, end} as indexes, end excluded.
  // Undefined when the next of these markers is none, or not an end.
  figuresRange(marker) {
    const next = this.markersNamed('figures', '/figures').find((other) => other.index > marker.index);
    return next?.word === '/figures' ? { start: marker.index + 1, end: next.index } : undefined;
  }

  fenceContent(fence) {
    return this.lines.slice(fence.open + 1, fence.close ?? this.lines.length).map((line) => removeIndent(line, fence.indent));
  }

  unclosedFence() {
    return this.fences.find((fence) => fence.close === null);
  }

  // The document's text with some generated parts written anew; `parts` holds {marker, language, content}
  // for a fence and {marker, content} for figures.
  rewrite(parts) {
    const rawLines = [...this.rawLines];
    for (const { marker, language, content } of [...parts].sort((a, b) => b.marker.index - a.marker.index)) {
      const end = this.rawLines[marker.index].endsWith('\r') ? '\r' : '';
      const isFigures = marker.word === 'figures';
      const lines = (isFigures ? ['', ...content, ''] : wrapInFence(language, content)).map((line) => (line === '' ? end : marker.indent + line + end));
      const { start, end: after } = isFigures ? this.figuresRange(marker) : this.#fenceRange(marker);
      rawLines.splice(start, after - start, ...lines);
    }
    return rawLines.join('\n');
  }

  // The lines of a marker's fence, or the place where there is none yet.
  #fenceRange(marker) {
    const fence = this.findFence(marker);
    const start = fence?.open ?? this.#fencePlace(marker);
    return { start, end: fence ? fence.close + 1 : start };
  }

  // The lines from this heading to the next of its level or above: {start, end} as indexes, end excluded.
  sectionRange(heading) {
    const next = this.headings.find((other) => other.line > heading.line && other.level <= heading.level);
    return { start: heading.line, end: next ? next.line - 1 : this.lines.length };
  }

  // Prose with inline code blanked out, and the inline code itself as {text, line}.
  readInline() {
    const spans = [];
    const lines = this.lines.map((line, index) => (this.isProse[index] ? line.replace(/<!--.*?-->/g, blankOut) : ''));
    for (const { start, end } of findParagraphs(lines)) {
      const { masked, found } = maskCodeSpans(lines.slice(start, end).join('\n'));
      lines.splice(start, end - start, ...masked.split('\n'));
      for (const { text, newlinesBefore } of found) spans.push({ text, line: start + newlinesBefore + 1 });
    }
    return { lines, spans };
  }
}

// A document that is not UTF-8 would come back changed from a rewrite: refuse it.
export function decodeUtf8(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Problem('this file is not valid UTF-8; save it as UTF-8');
  }
}

function closesFence(line, fence) {
  const text = line.trim();
  return text.length >= fence.ticks.length && text === fence.ticks[0].repeat(text.length);
}

function removeIndent(line, indent) {
  return line.startsWith(indent) ? line.slice(indent.length) : line.trimStart();
}

// Content that has a fence in it needs a longer one around it.
function wrapInFence(language, content) {
  const longest = Math.max(2, ...content.map((line) => /^\s*(`*)/.exec(line)[1].length));
  const ticks = '`'.repeat(longest + 1);
  return [ticks + language, ...content, ticks];
}

// Runs of lines in which a code span may go on to the next line. List items, table rows, headings and
// blank lines each end the text before them.
function findParagraphs(lines) {
  const paragraphs = [];
  let start = 0;
  for (let index = 1; index <= lines.length; index++) {
    const begins = index === lines.length || /^\s*($|[|#>]|[-*+]\s|\d+[.)]\s)/.test(lines[index]);
    const endsBefore = /^\s*($|[|#])/.test(lines[index - 1]);
    if (!begins && !endsBefore) continue;
    paragraphs.push({ start, end: index });
    start = index;
  }
  return paragraphs;
}

// A span begins with a run of backticks and ends with the next run of the same length.
function maskCodeSpans(text) {
  const found = [];
  const masked = text.replace(/(?<![\\`])(`+)(?!`)([\s\S]*?[^`])\1(?!`)/g, (whole, ticks, code, offset) => {
    found.push({ text: code.replace(/\s+/g, ' ').trim(), newlinesBefore: text.slice(0, offset).split('\n').length - 1 });
    return blankOut(whole);
  });
  return { masked, found };
}

function blankOut(text) {
  return text.replace(/[^\n]/g, ' ');
}
