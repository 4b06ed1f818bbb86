// What the book consists of: its pages and where each of them lies, the chapters in their parts, and the source files that have pages.
//
// A page's path is that below the book's folder: 13-epoll.html, code/common/fd.hpp.html, diff/11-poll/13-epoll.html. All links between
// pages are relative, so the book works below any address.

import { posix } from 'node:path';
import { isSideRoad } from '../../chapters.mjs';
import { Problem } from '../../docs/lib/problem.mjs';
import { Project } from '../../docs/lib/project.mjs';
import { readArguments } from '../../docs/lib/anchors.mjs';

/** Files that a page can be made of, beside the chapters' own. */
const sourceForm = /\.(cpp|hpp|mjs|js|sh|lua|cmake|patch|py)$|(^|\/)CMakeLists\.txt$|^CMakePresets\.json$|\.cfg$|^learn$/;

export class Site {
  #sourcePages = new Set();

  /** @param {string} root the project's folder */
  constructor(root) {
    this.root = root;
    this.project = new Project(root);
    if (this.project.chapters.length === 0) throw new Problem(`there is no chapter in ${root}/chapters`);
    const readme = this.project.readDocument('README.md');
    this.parts = readParts(readme, this.project.chapters, root);
    this.chapters = this.parts.flatMap(({ chapters }) => chapters);
    const missing = this.project.chapters.filter(({ name }) => !this.chapters.some((chapter) => chapter.name === name));
    if (missing.length > 0) throw new Problem(`the table of README.md has no row for ${missing.map(({ name }) => name).join(', ')}; add it`);
    this.documents = this.project.documentPaths.map((path) => this.#readPage(path));
    this.essays = orderByFirstLink(this.documents.filter(({ path, chapter }) => path.startsWith('docs/') && !chapter), readme);
    this.#collectSourcePages();
  }

  #readPage(path) {
    const document = this.project.readDocument(path);
    const title = stripMarkdown(document.headings.find(({ level }) => level === 1)?.text ?? path);
    return { path, document, title, url: pageOfDocument(path), chapter: this.chapters.find((chapter) => chapter.path === path) };
  }

  /** The page made of a document, by the document's path from the root; undefined where there is none. */
  findDocument(path) {
    return this.documents.find((page) => page.path === path);
  }

  /** The chapter of that folder's name; undefined where there is none. */
  findChapter(name) {
    return this.chapters.find((chapter) => chapter.name === name);
  }

  /** The pairs of chapters whose difference is a page of its own: each with the one from which it goes on, and with the one before it. */
  get pairs() {
    return this.chapters.flatMap((chapter, index) => {
      const before = [this.findChapter(this.project.chapterOf(chapter.path)?.previous?.name), this.chapters[index - 1]];
      return [...new Set(before)].filter(Boolean).map((from) => ({ from, to: chapter }));
    });
  }

  /** Paths of the source files that have a page, from the root, sorted. */
  get sourcePaths() {
    return [...this.#sourcePages].sort();
  }

  hasSourcePage(path) {
    return this.#sourcePages.has(path);
  }

  // The chapters' files, what they share, their tests, and whatever a text shows or names.
  #collectSourcePages() {
    const { project } = this;
    for (const chapter of project.chapters) {
      for (const file of project.filesOfChapter(chapter)) this.#sourcePages.add(`${chapter.folder}/${file}`);
    }
    const shared = ['common', 'tests/chapters', 'tests/contract', 'tests/common', 'tests/runtime', 'tests/support'];
    for (const folder of shared) project.listFiles(folder, sourceForm).forEach((path) => this.#sourcePages.add(path));
    for (const { document } of this.documents) {
      const shown = document.markersNamed('code').map(({ rest }) => readArguments(rest)[0]?.word ?? '');
      const named = document.readInline().spans.flatMap(({ text }) => text.split(/\s+/)).map((word) => word.replace(/[.,:;)]+$/, '')).filter((word) => sourceForm.test(word));
      for (const path of [...shown, ...named]) {
        if (path !== '' && !path.startsWith('/') && !path.includes('..') && project.isFile(path)) this.#sourcePages.add(path);
      }
    }
  }
}

/** Where the page of a document lies: docs/13-epoll.md is 13-epoll.html, README.md the first page. */
export function pageOfDocument(path) {
  if (path === 'README.md') return 'index.html';
  return `${posix.basename(path, '.md').toLowerCase()}.html`;
}

export const pageOfSource = (path) => `code/${path}.html`;

/** The page of a chapter's whole difference from another one, by their folders' names. */
export const pageOfDiff = (from, to) => `diff/${from}/${to}.html`;

/** A link from one page to another, or to a place in it. */
export function linkBetween(fromPage, toPage, fragment = '') {
  if (fromPage === toPage && fragment !== '') return `#${fragment}`;
  const path = posix.relative(posix.dirname(fromPage), toPage) || posix.basename(toPage);
  return fragment === '' ? path : `${path}#${fragment}`;
}

// The README's table: a row for each part, then one for each of its chapters.
function readParts(readme, known, root) {
  const parts = [];
  for (const line of readme.lines) {
    const part = /^\| \*\*(Part [^*]+?)\*\* \|/.exec(line)?.[1];
    if (part) parts.push({ title: part.replace(/\.$/, ''), chapters: [] });
    const row = /^\| \[(\d\d) ([^\]]+)\]\(docs\/([^)]+)\.md\) \|\s*(.*?)\s*\|\s*(.*?)\s*\|\s*$/.exec(line);
    if (!row) continue;
    const [, number, title, name, idea, why] = row;
    if (parts.length === 0) throw new Problem(`README.md: the row of chapter ${number} stands before the first part`);
    if (!known.some((chapter) => chapter.name === name)) throw new Problem(`README.md: there is no chapter ${name}, which the table names; correct the row`);
    parts.at(-1).chapters.push({ number, title, name, idea, why, path: `docs/${name}.md`, url: `${name}.html`, part: parts.length - 1, isSideRoad: isSideRoad(root, name) });
  }
  if (parts.length === 0) throw new Problem('README.md has no table of the chapters, with rows such as "| **Part I. …** | | |"');
  return parts;
}

function orderByFirstLink(pages, readme) {
  const text = readme.lines.join('\n');
  const place = ({ path }) => (text.includes(`(${path}`) ? text.indexOf(`(${path}`) : Infinity);
  return [...pages].sort((a, b) => place(a) - place(b) || (a.path < b.path ? -1 : 1));
}

/** The words of a line of Markdown, without its signs. */
export function stripMarkdown(text) {
  return text.replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '').replace(/<[^>]*>/g, '').trim();
}
