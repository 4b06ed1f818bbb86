// The pages of the sources: each file with its lines and its functions, each chapter with its files.

import { isCppPath } from '../../docs/lib/cpp-ranges.mjs';
import { Problem } from '../../docs/lib/problem.mjs';
import { escapeHtml, renderLine } from '../view/html.mjs';
import { linkBetween, pageOfDiff, pageOfSource } from './site.mjs';

/** Functions, types and tests of a source, outermost first; none where it is no C++, or cannot be read as such. */
export function itemsOf(project, path) {
  if (!isCppPath(path)) return [];
  try {
    return project.readSource(path).items;
  } catch (error) {
    if (error instanceof Problem) return []; // brackets without a partner: the file is shown as it is
    throw error;
  }
}

const idOf = ({ kind, name }) => `${kind}-${name.replace(/\s+/g, '-')}`;

/** What Layout.render() needs for the page of a source. */
export function renderSource(book, path) {
  const { site } = book;
  const url = pageOfSource(path);
  const items = itemsOf(site.project, path);
  const anchors = new Map();
  const used = new Set();
  for (const item of items) {
    const id = idOf(item);
    if (used.has(id)) continue;
    used.add(id);
    anchors.set(item.nameLine, [...(anchors.get(item.nameLine) ?? []), id]);
  }
  const lines = book.coloursOf(path).map((tokens, index) => {
    const number = index + 1;
    const ids = (anchors.get(number) ?? []).map((id) => `<a id="${escapeHtml(id)}"></a>`).join('');
    return `<span class=c id=L${number} data-n=${number}>${ids}${renderLine(tokens)}\n</span>`;
  });
  const chapter = site.chapters.find(({ name }) => path.startsWith(`chapters/${name}/`));
  const way = chapter
    ? `<a href="${linkBetween(url, chapter.url)}">chapter ${chapter.number}, ${escapeHtml(chapter.title)}</a> · <a href="${linkBetween(url, `code/chapters/${chapter.name}/index.html`)}">all its files</a>${linkDiffs(book, chapter, url)}`
    : `<a href="${linkBetween(url, 'code/index.html')}">the code</a>`;
  const list = items
    .map((item) => `<li><a href="#L${item.nameLine}"><code>${escapeHtml(item.kind === 'test' ? `"${item.name}"` : item.name)}</code></a></li>`);
  const functions = list.length > 1 ? `<details class=items><summary>${list.length} functions, types and tests</summary><ul>${list.join('')}</ul></details>` : '';
  return {
    url,
    title: path.replace(/^chapters\//, ''),
    kind: 'code',
    near: chapter?.name,
    html: `<p class=place>${way}</p><h1><code>${escapeHtml(path)}</code></h1>${functions}<pre class=listing tabindex=0><code>${lines.join('')}</code></pre>`,
  };
}

function linkDiffs(book, chapter, url) {
  return book.pairs.filter(({ to }) => to.name === chapter.name)
    .map(({ from }) => ` · <a href="${linkBetween(url, pageOfDiff(from.name, chapter.name))}">changes since ${from.number}</a>`).join('');
}

/** The page of a chapter's files. */
export function renderChapterCode(book, chapter) {
  const { site } = book;
  const url = `code/chapters/${chapter.name}/index.html`;
  const entry = site.project.chapters.find(({ name }) => name === chapter.name);
  const paths = [...site.project.filesOfChapter(entry).map((file) => `${entry.folder}/${file}`), `tests/chapters/${chapter.name}.cpp`];
  const at = site.chapters.indexOf(chapter);
  const page = (other) => other && { url: `code/chapters/${other.name}/index.html`, title: `${other.number} ${other.title}` };
  return {
    url,
    title: `The code of chapter ${chapter.number}, ${chapter.title}`,
    kind: 'list',
    near: chapter.name,
    before: page(site.chapters[at - 1]),
    after: page(site.chapters[at + 1]),
    html: `<p class=place><a href="${linkBetween(url, chapter.url)}">the text of chapter ${chapter.number}</a>${linkDiffs(book, chapter, url)}</p><h1>The code of chapter ${chapter.number}, ${escapeHtml(chapter.title)}</h1>${paths.map((path) => renderFile(book, path, url)).join('')}`,
  };
}

function renderFile(book, path, url) {
  const items = itemsOf(book.site.project, path).filter(({ kind }) => kind !== 'test');
  const links = items.map((item) => `<li><a href="${escapeHtml(linkBetween(url, pageOfSource(path), `L${item.nameLine}`))}"><code>${escapeHtml(item.name)}</code></a></li>`);
  return `<h2><a href="${escapeHtml(linkBetween(url, pageOfSource(path)))}"><code>${escapeHtml(path.replace(/^chapters\/[^/]+\//, ''))}</code></a></h2><p class=note>${book.site.project.readSource(path).lines.length} lines</p>${links.length > 0 ? `<ul class=names>${links.join('')}</ul>` : ''}`;
}

/** The page of all sources. */
export function renderCodeList(book) {
  const { site } = book;
  const url = 'code/index.html';
  const chapters = site.parts.map(({ title, chapters: own }) => `<h2>${escapeHtml(title)}</h2><ul>${own.map(({ number, title: name, name: folder }) => `<li><a href="chapters/${folder}/index.html">${number} ${escapeHtml(name)}</a></li>`).join('')}</ul>`);
  const others = site.sourcePaths.filter((path) => !path.startsWith('chapters/'));
  const folders = [...new Set(others.map((path) => path.replace(/\/?[^/]*$/, '')))];
  const rest = folders.map((folder) => {
    const files = others.filter((path) => path.replace(/\/?[^/]*$/, '') === folder);
    return `<h2><code>${escapeHtml(folder === '' ? './' : `${folder}/`)}</code></h2><ul class=names>${files.map((path) => `<li><a href="${escapeHtml(linkBetween(url, pageOfSource(path)))}"><code>${escapeHtml(path.slice(folder === '' ? 0 : folder.length + 1))}</code></a></li>`).join('')}</ul>`;
  });
  return { url, title: 'The code', kind: 'list', html: `<h1>The code</h1>${chapters.join('')}${rest.join('')}` };
}
