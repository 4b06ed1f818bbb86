// The fences of a text: diffs and code from the sources, recorded sessions, and what is written by hand.
//
// What stands under a marker is made from the same rows and lines as tools/docs/docs makes and checks it; a fence that does not agree with
// the code is refused.

import { readArguments } from '../../docs/lib/anchors.mjs';
import { BlockMaker, describeStaleFence } from '../../docs/lib/blocks.mjs';
import { indexRows } from '../../docs/lib/edits.mjs';
import { Problem, Report } from '../../docs/lib/problem.mjs';
import { describePlace, renderRows } from '../view/diff.mjs';
import { anchorOf } from '../view/compare.mjs';
import { escapeHtml, renderLine } from '../view/html.mjs';
import { linkBetween, pageOfDiff, pageOfSource } from './site.mjs';

const hunkForm = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@ ?(.*)$/;

// What a fence's language is called where it differs from a grammar's name.
const languageNames = { 'c++': 'cpp', sh: 'bash', shell: 'bash', console: 'bash', javascript: 'js', py: 'python' };

// A system call has another name in a trace than in the code.
const otherNames = { sendto: 'send', recvfrom: 'recv', exit_group: 'exit', clone: 'fork', ppoll: 'poll' };
const nameOfCall = (word) => otherNames[word] ?? word;

// The call of a line of a trace: what is called in its arguments is none.
const callForm = /(?<![\w:])([a-z][a-z0-9_]*)\(/;

export class FenceRenderer {
  #blocks = new Map(); // by the line of the fence
  #sessions = new Map();
  #ids = new Set();

  constructor(book, page) {
    this.book = book;
    this.page = page;
    this.document = page.document;
    const report = new Report();
    this.maker = new BlockMaker(book.site.project, this.document);
    for (const block of this.maker.makeAll(report)) {
      const stale = describeStaleFence(this.document, block);
      if (stale) report.add(this.document.path, block.marker.line, `${stale}; run tools/docs/docs sync`);
      else this.#blocks.set(this.document.findFence(block.marker).open, block);
    }
    for (const marker of this.document.markersNamed('run')) {
      const fence = this.document.findFence(marker);
      if (fence) this.#sessions.set(fence.open, { marker, fence });
    }
    if (report.count > 0) throw new Problem(report.findingLines().join('\n'));
    this.#findTies();
  }

  /** A fence as HTML. `line` is its index in the document; undefined in a piece of a text. */
  render(line, content, language) {
    const block = this.#blocks.get(line);
    if (block?.kind === 'diff') return this.#renderDiff(block);
    if (block) return this.#renderCode(block);
    if (this.#sessions.has(line)) return this.#renderSession(this.#sessions.get(line), content);
    const name = languageNames[language] ?? language;
    const lines = this.book.highlighter.lines(content, name);
    const wrap = this.#wrapOf('code');
    return `<pre class=plain tabindex=0><code>${lines.map((tokens) => `${renderLine(tokens, name === 'cpp' ? { wrap } : {})}\n`).join('')}</code></pre>\n`;
  }

  // --- What is tied: a name in a sentence, the line of code that calls it, and the line of a trace ---

  #findTies() {
    const inCode = new Set();
    const inTrace = new Set();
    for (const [open] of this.#blocks) this.#contentAt(open).forEach((text) => namesIn(text).forEach((name) => inCode.add(name)));
    for (const [open] of this.#sessions) this.#contentAt(open).forEach((text) => namesIn(text).forEach((name) => inTrace.add(name)));
    const inProse = new Set(this.document.readInline().spans.map(({ text }) => nameOfCall(text.replace(/^::|\(.*$/g, ''))));
    const ties = (name) => [inCode, inTrace, inProse].filter((set) => set.has(name)).length >= 2;
    this.ties = new Map([...new Set([...inCode, ...inTrace])].filter(ties).map((name) => [name, { code: inCode.has(name), trace: inTrace.has(name) }]));
  }

  #contentAt(open) {
    return this.document.fenceContent(this.document.fences.find((fence) => fence.open === open));
  }

  /** Where a call that a sentence names is first made on this page: in its code or else in its trace; undefined where it is in neither. */
  placeOfCall(text) {
    const name = nameOfCall(text.replace(/^::|\(\)$/g, ''));
    const tie = this.ties.get(name);
    return tie && { href: `#${tie.code ? 'code' : 'trace'}-${name}`, tie: name };
  }

  // Puts the tie's name on a token, and an id on the first of its kind.
  #wrapOf(kind) {
    return (className, text, html) => {
      if (className !== 'f') return html;
      const name = nameOfCall(text.trim());
      if (!this.ties.has(name)) return html;
      return this.#tie(kind, name, html);
    };
  }

  #tie(kind, name, html) {
    const id = `${kind}-${name}`;
    const isFirst = !this.#ids.has(id);
    this.#ids.add(id);
    // The first call in the code leads to the trace, and the first one there back to the code.
    if (isFirst) return `<a href="#${kind === 'code' ? 'trace' : 'code'}-${name}" class=tie data-t="${name}" id=${id}>${html}</a>`;
    return `<span data-t=${name}>${html}</span>`;
  }

  /** The page's text, its ties led to where they are: a name that is tied nowhere after all is no link. */
  settleTies(html) {
    return html.replace(/<a href="#(code|trace)-(\w+)" class=tie data-t="\w+"( id=[\w-]+)?>(.*?)<\/a>/g, (whole, kind, name, id, words) => {
      if (this.#ids.has(`${kind}-${name}`)) return whole;
      // In the code and in the trace themselves there is no third place.
      if (id !== undefined) return `<span data-t=${name}${id}>${words}</span>`;
      const place = ['code', 'trace'].find((other) => this.#ids.has(`${other}-${name}`));
      return place ? whole.replace(`#${kind}-`, `#${place}-`) : words;
    });
  }

  // --- Diffs ---

  #renderDiff({ marker, content }) {
    const found = readArguments(marker.rest);
    const file = found[0].word;
    const { chapter, previous } = this.maker.neighbours;
    const from = found[1]?.word === 'from' ? found[2].word : previous.name;
    const { entry, moved } = this.book.findDifference(from, chapter.name, file);
    const colours = { old: this.book.coloursOf(`chapters/${from}/${file}`), new: this.book.coloursOf(`chapters/${chapter.name}/${file}`) };
    const hunks = this.#splitHunks(entry.rows, content, marker);
    const shown = hunks.flatMap(({ rows }) => rows);
    const wrap = this.#wrapOf('code');
    const body = hunks.map(({ rows, name }) => {
      const place = `<div class=at>${describePlace(rows)}${name ? ` · <code>${escapeHtml(name)}</code>` : ''}</div>`;
      return place + renderRows(rows, colours, { moved, wrap });
    });
    const hasPage = this.book.hasDiffPage(from, chapter.name);
    const target = hasPage ? linkBetween(this.page.url, pageOfDiff(from, chapter.name), anchorOf(file)) : linkBetween(this.page.url, 'diff/index.html', `${from}/${chapter.name}`);
    const hasMoved = shown.some((row) => moved.has(row));
    return `<figure class=diff><figcaption><b>${escapeHtml(file)}</b> <span class=pair>${escapeHtml(from)} → ${escapeHtml(chapter.name)}</span>`
      + `${hasMoved ? ' <span class=key>lines that have only moved</span>' : ''} <label class=views for=split></label> <a href="${escapeHtml(target)}">the whole file</a></figcaption>`
      + `<div class=rows tabindex=0 role=group aria-label="what changes in ${escapeHtml(file)}">${body.join('')}</div></figure>\n`;
  }

  // The rows that the fence's hunks show, by the numbers in their heads.
  #splitHunks(rows, content, marker) {
    const rowOf = indexRows(rows);
    const hunks = [];
    content.forEach((line) => {
      const head = hunkForm.exec(line);
      if (head) hunks.push({ head, name: head[5], lines: [] });
      else hunks.at(-1).lines.push(line);
    });
    return hunks.map(({ head, name, lines }) => {
      const [oldStart, oldCount, newStart, newCount] = head.slice(1, 5).map(Number);
      const first = Math.min(oldCount > 0 ? rowOf.old[oldStart] : Infinity, newCount > 0 ? rowOf.new[newStart] : Infinity);
      const slice = rows.slice(first, first + lines.length);
      const isSame = slice.length === lines.length && slice.every((row, index) => `${row.sign}${row.text}`.trimEnd() === lines[index].trimEnd());
      if (!isSame) throw new Problem(`${this.document.path}:${marker.line}: the hunk "${head[0]}" is not what the code has there; run tools/docs/docs sync`);
      return { name, rows: slice };
    });
  }

  // --- Code ---

  #renderCode({ path, selected, content, language }) {
    const colours = this.book.coloursOf(path);
    const numbers = [...selected].sort((a, b) => a - b);
    const texts = this.book.site.project.readSource(path).lines;
    const wrap = this.#wrapOf('code');
    let next = 0;
    let last = 0;
    const isGap = (text) => /^(?:\/\/|#) \.\.\.$/.test(text ?? '');
    const lines = content.map((text, index) => {
      const number = numbers[next];
      if (number !== undefined && texts[number - 1] === text) {
        next += 1;
        last = number;
        return `<span class=c data-n=${number}>${renderLine(colours[number - 1], { wrap })}\n</span>`;
      }
      // A blank line between two ranges, or the comment that stands for what is left out.
      return text.trim() === '' ? `<span class=c${isGap(content[index - 1]) || isGap(content[index + 1]) ? '' : ` data-n=${(last += 1)}`}>\n</span>` : `<span class=c><i class=c>${escapeHtml(text)}</i>\n</span>`;
    });
    const href = linkBetween(this.page.url, pageOfSource(path), numbers.length === texts.length ? '' : `L${numbers[0]}`);
    return `<figure class=code><figcaption><a href="${escapeHtml(href)}">${escapeHtml(path.replace(/^chapters\//, ''))}</a></figcaption>`
      + `<pre tabindex=0 class="${language}"><code>${lines.join('')}</code></pre></figure>\n`;
  }

  // --- Recorded sessions ---

  #renderSession({ marker }, content) {
    const lines = content.replace(/\n$/, '').split('\n').map((line) => this.#renderSessionLine(line));
    return `<figure class=session><figcaption><code>${escapeHtml(shorten(marker.rest))}</code></figcaption><pre tabindex=0><code>${lines.map((line) => `${line}\n`).join('')}</code></pre></figure>\n`;
  }

  #renderSessionLine(line) {
    const isAct = /^\S/.test(line) && !/[(=|]/.test(line);
    const html = escapeHtml(line).replace(callForm, (whole, word) => {
      const name = nameOfCall(word);
      const call = `<i class=f>${word}</i>`;
      return `${this.ties.has(name) && /^\s/.test(line) ? this.#tie('trace', name, call) : call}(`;
    });
    return isAct && line !== '' ? `<b>${html}</b>` : html.replace(/(\(asleep\))/, '<i class=c>$1</i>');
  }
}

function namesIn(text) {
  return [...text.matchAll(/(?:^|[^\w:]|::)([a-z][a-z0-9_]*)\(/g)].map(([, word]) => nameOfCall(word));
}

// The command as a reader would type it: without what only the recording needs.
function shorten(command) {
  return command.replace(/^set -o pipefail;\s*/, '');
}
