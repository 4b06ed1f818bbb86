// The frame around what a page says: head, bar, contents, the way to the pages before and after.

import { escapeHtml } from '../view/html.mjs';
import { linkBetween } from './site.mjs';

// Before anything is painted: the reader's choice of light or dark, and that scripts run.
const early = 'document.documentElement.classList.add("js");try{var t=localStorage.getItem("book-theme");if(t)document.documentElement.dataset.theme=t}catch(e){}';

export class Layout {
  /** `site` is the whole book; `title` its name. */
  constructor(site) {
    this.site = site;
    this.title = site.findDocument('README.md')?.title ?? 'the book';
  }

  /**
   * A page as HTML.
   * @param {object} page
   *   url       where it lies
   *   title     what it is called; the whole book's name is added
   *   html      what it says
   *   kind      text, code, diff or tool: the stylesheet gives each its width
   *   headings  [{level, id, text}] for the contents of the page
   *   before, after   {url, title}: the neighbours, where there are any
   *   near      the name of the chapter that the page is of, where it is not its text
   *   script, style   another script and stylesheet of assets/ that the page needs
   */
  render({ url, title, html, kind, headings = [], before, after, script, style, near, search = true }) {
    const link = (target, fragment) => escapeHtml(linkBetween(url, target, fragment));
    const isFirst = url === 'index.html';
    const scripts = ['book', ...(script ? [script] : [])].map((name) => `<script src="${link(`assets/${name}.js`)}" defer></script>`);
    const rel = (name, page) => (page ? `<link rel=${name} href="${link(page.url)}">` : '');
    return `<!doctype html>
<html lang=en>
<head>
<meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1">
<title>${escapeHtml(isFirst ? title : `${title} · ${this.title}`)}</title>
<link rel=icon href="${link('assets/icon.svg')}" type="image/svg+xml">
<link rel=stylesheet href="${link('assets/book.css')}">${style ? `<link rel=stylesheet href="${link(`assets/${style}.css`)}">` : ''}${rel('prev', before)}${rel('next', after)}
<script>${early}</script>
${scripts.join('\n')}
</head>
<body class=${kind} data-base="${link('index.html').replace(/index\.html$/, '')}">
<a class=skip href="#text">To the text</a>
<header class=bar>
<input type=checkbox id=split class=switch aria-label="diffs in one column">
<a class=home href="${link('index.html')}">${escapeHtml(this.title)}</a>
<a class=to-contents href="#contents">Contents</a>
${search ? `<form class=find role=search action="${link('search.html')}"><input type=search name=q placeholder="Search" aria-label="Search texts, functions and system calls" autocomplete=off><div class=found hidden></div></form>` : '<span class=find></span>'}
<a href="${link('diff/index.html')}">Compare</a>
<a href="${link('progress.html')}">Progress</a>
<button type=button class=theme aria-label="light or dark">◐</button>
</header>
<div class=frame>
<main id=text>
${html}
${renderNeighbours(before, after, link)}
</main>
<nav id=contents aria-label="Contents of the book">${this.#renderContents(url, near, headings, link)}</nav>
</div>
</body>
</html>
`;
  }

  #renderContents(url, near, headings, link) {
    const item = (target, text, extra = '') => (target === url
      ? `<li class=current><a href="${link(target)}" aria-current=page>${text}</a>${extra}${renderHeadings(headings)}</li>`
      : `<li><a href="${link(target)}">${text}</a>${extra}</li>`);
    const parts = this.site.parts.map(({ title, chapters }) => {
      const isHere = chapters.some((chapter) => chapter.url === url || chapter.name === near);
      const [name, words] = splitPart(title);
      const list = chapters.map((chapter) => item(chapter.url, `<span class=number>${chapter.number}</span> ${escapeHtml(chapter.title)}${chapter.isSideRoad ? ' <small>side road</small>' : ''}`));
      return `<details${isHere ? ' open' : ''}><summary><small>${escapeHtml(name)}</small> ${escapeHtml(words)}</summary><ul>${list.join('')}</ul></details>`;
    });
    const essays = this.site.essays.map((page) => item(page.url, escapeHtml(shortTitle(page.title))));
    const isEssay = this.site.essays.some((page) => page.url === url);
    return `<ul class=top>${item('index.html', 'How to begin')}</ul>${parts.join('')}`
      + `<details${isEssay ? ' open' : ''}><summary>Beside the chapters</summary><ul>${essays.join('')}</ul></details>`
      + `<ul class=top>${this.site.hasReplays ? item('replay/index.html', 'Replay') : ''}${item('diff/index.html', 'Compare any two chapters')}${item('code/index.html', 'The code')}${item('progress.html', 'Your progress')}</ul>`;
  }
}

// A title says more behind a colon than a list has room for.
export const shortTitle = (title) => title.split(': ')[0];

function splitPart(title) {
  const at = title.indexOf('. ');
  return at < 0 ? ['', title] : [title.slice(0, at), title.slice(at + 2)];
}

function renderHeadings(headings) {
  const shown = headings.filter(({ level }) => level === 2);
  if (shown.length === 0) return '';
  return `<ul class=here>${shown.map(({ id, text }) => `<li><a href="#${escapeHtml(id)}">${escapeHtml(text)}</a></li>`).join('')}</ul>`;
}

function renderNeighbours(before, after, link) {
  if (!before && !after) return '';
  const one = (page, rel, words) => (page ? `<a rel=${rel} href="${link(page.url)}"><small>${words}</small> ${escapeHtml(page.title)}</a>` : '<span></span>');
  return `<nav class=neighbours aria-label="Pages before and after">${one(before, 'prev', '← before')}${one(after, 'next', 'next →')}</nav>`;
}
