// The book: everything that is read once for all pages, and the pages, one after the other.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { languageOf } from '../../docs/lib/code-blocks.mjs';
import { isCppPath } from '../../docs/lib/cpp-ranges.mjs';
import { Problem } from '../../docs/lib/problem.mjs';
import { compareChapters } from '../view/compare.mjs';
import { renderChapterCode, renderCodeList, renderSource } from './code-pages.mjs';
import { renderChooser, renderDifference } from './diff-pages.mjs';
import { Glossary } from './glossary.mjs';
import { Highlighter } from './highlight.mjs';
import { Layout } from './layout.mjs';
import { Pictures, Plots } from './pictures.mjs';
import { renderProgressPage, renderSearchPage } from './tool-pages.mjs';
import { listReplays, loadStaticPlayer, renderReplay, renderReplayList } from './replay-pages.mjs';
import { listSearchEntries } from './search-entries.mjs';
import { pageOfDiff, pageOfSource, Site } from './site.mjs';
import { TextRenderer } from './text.mjs';

export class Book {
  #files = new Map(); // files that are copied: path in the book -> path from the root
  #differences = new Map();

  /**
   * @param {string} root the project's folder
   * @param {string} cache a folder for what has been coloured
   */
  constructor(root, cache) {
    this.site = new Site(root);
    const { project } = this.site;
    this.highlighter = new Highlighter(join(cache, 'colours'));
    this.glossary = new Glossary(this.site);
    const access = { readText: (path) => project.readText(path), isFile: (path) => project.isFile(path), addFile: (path) => this.addFile(path) };
    this.pictures = new Pictures(access);
    this.plots = new Plots(access);
    this.replays = listReplays(this.site);
    this.site.hasReplays = this.replays.length > 0;
    this.tests = new Map();
    for (const path of this.site.sourcePaths.filter((name) => name.startsWith('tests/') && isCppPath(name))) {
      for (const item of project.readSource(path).items) {
        if (item.kind === 'test' && !this.tests.has(item.name)) this.tests.set(item.name, { path, line: item.nameLine });
      }
    }
    this.pairs = this.site.pairs;
  }

  /** Colours all code that the pages show; the rest of the work needs no waiting. */
  async prepare(tell) {
    this.renderFrames = await loadStaticPlayer(this.site.root);
    const { project } = this.site;
    const sources = this.site.sourcePaths.map((path) => ({ text: project.readCode(path), language: languageOf(path) }));
    const fences = this.site.documents.flatMap(({ document }) => document.fences.map((fence) => ({
      text: `${document.fenceContent(fence).join('\n')}\n`,
      language: { 'c++': 'cpp', sh: 'bash', shell: 'bash' }[fence.language] ?? fence.language,
    })).filter(({ language }) => language !== 'diff'));
    await this.highlighter.prepare([...sources, ...fences], tell);
  }

  /** The coloured lines of a source; none where it is not there. */
  coloursOf(path) {
    const { project } = this.site;
    return project.isFile(path) ? this.highlighter.lines(project.readCode(path), languageOf(path)) : [];
  }

  /** A chapter's files, coloured: {name, files: {file: lines}}. */
  filesOf(chapter) {
    const entry = this.site.project.chapters.find(({ name }) => name === chapter);
    const files = this.site.project.filesOfChapter(entry).map((file) => [file, this.coloursOf(`${entry.folder}/${file}`)]);
    return { name: chapter, files: Object.fromEntries(files) };
  }

  /** The whole difference of two chapters; see compareChapters(). */
  differenceOf(from, to) {
    const key = `${from} ${to}`;
    if (!this.#differences.has(key)) {
      const [old, fresh] = [this.filesOf(from), this.filesOf(to)];
      this.#differences.set(key, { old, fresh, ...compareChapters(old, fresh) });
    }
    return this.#differences.get(key);
  }

  findDifference(from, to, file) {
    const { files, moved } = this.differenceOf(from, to);
    const entry = files.find((other) => other.file === file);
    if (!entry) throw new Problem(`there is no difference in ${file} between ${from} and ${to}; correct the marker`);
    return { entry, moved };
  }

  hasDiffPage(from, to) {
    return this.pairs.some((pair) => pair.from.name === from && pair.to.name === to);
  }

  /** Has a file of the project copied into the book; returns where it will lie. */
  addFile(path) {
    const place = `files/${path}`;
    this.#files.set(place, path);
    return place;
  }

  get copiedFiles() {
    return this.#files;
  }

  /** All pages and data, one after the other: {url, text}. */
  *pages() {
    const layout = new Layout(this.site);
    const texts = new TextRenderer(this);
    const sections = [];
    const { chapters, essays, documents } = this.site;
    const reading = [this.site.findDocument('README.md'), ...chapters.map(({ path }) => this.site.findDocument(path)), ...essays].filter(Boolean);
    const findText = (chapter) => {
      const page = this.site.findDocument(chapter.path);
      if (!page) throw new Problem(`chapter ${chapter.name} has no text; write ${chapter.path}`);
      return page;
    };
    chapters.forEach(findText);
    for (const page of documents) {
      const { html, headings, sections: own } = texts.render(page);
      sections.push(...own.map((section) => ({ page, ...section })));
      const at = reading.indexOf(page);
      const neighbours = at < 0 ? {} : { before: reading[at - 1], after: reading[at + 1] };
      const body = `<article>${page.chapter ? renderPlace(this, page) : ''}${html.replace(/<p>\s*<\/p>/g, '')}</article>`;
      yield { url: page.url, text: layout.render({ ...page, html: body, kind: 'text', headings, ...neighbours }) };
    }
    for (const path of this.site.sourcePaths) yield { url: pageOfSource(path), text: layout.render(renderSource(this, path)) };
    for (const chapter of chapters) yield { url: `code/chapters/${chapter.name}/index.html`, text: layout.render(renderChapterCode(this, chapter)) };
    yield { url: 'code/index.html', text: layout.render(renderCodeList(this)) };
    for (const pair of this.pairs) yield { url: pageOfDiff(pair.from.name, pair.to.name), text: layout.render(renderDifference(this, pair)) };
    yield { url: 'diff/index.html', text: layout.render(renderChooser(this)) };
    for (const chapter of chapters) yield { url: `sources/${chapter.name}.json`, text: JSON.stringify(this.filesOf(chapter.name)) };
    yield { url: 'search.html', text: layout.render(renderSearchPage()) };
    yield { url: 'search.json', text: JSON.stringify(listSearchEntries(this, sections)) };
    yield { url: 'progress.html', text: layout.render(renderProgressPage(this)) };
    if (this.replays.length > 0) yield { url: 'replay/index.html', text: layout.render(renderReplayList(this)) };
    for (const replay of this.replays) yield { url: `replay/${replay.name}.html`, text: layout.render(renderReplay(this, replay)) };
  }

  /** Whether the pages of recorded executions have what plays them. */
  get hasPlayer() {
    return existsSync(join(this.site.root, 'tools/replay/player/Replay.vue'));
  }
}

// Over a chapter's text: its part, and the ways to its code and its difference.
function renderPlace({ site, pairs, replays }, { chapter }) {
  const { title } = site.parts[chapter.part];
  const replay = replays.find((other) => other.chapter === chapter);
  const own = pairs.filter(({ to }) => to.name === chapter.name);
  const diffs = own.map(({ from }) => `<a href="${pageOfDiff(from.name, chapter.name)}">changes since ${from.number}</a>`);
  return `<p class=place>${title}${chapter.isSideRoad ? ', a side road' : ''} · <a href="code/chapters/${chapter.name}/index.html">its code</a>${diffs.map((link) => ` · ${link}`).join('')}${replay ? ` · <a href="replay/${replay.name}.html">replay</a>` : ''}</p>`;
}
