// The pages that compare two chapters: neighbours are made here, any other two in the page.

import { renderComparison } from '../view/compare.mjs';
import { escapeHtml } from '../view/html.mjs';
import { linkBetween, pageOfDiff, pageOfSource } from './site.mjs';

/** What Layout.render() needs for the page of two neighbours. */
export function renderDifference(book, { from, to }) {
  const url = pageOfDiff(from.name, to.name);
  const { old, fresh, files, moved } = book.differenceOf(from.name, to.name);
  const linkTo = (file, side) => linkBetween(url, pageOfSource(`chapters/${side === 'old' ? from.name : to.name}/${file}`));
  const at = book.pairs.findIndex((pair) => pair.from === from && pair.to === to);
  const page = (pair) => pair && { url: pageOfDiff(pair.from.name, pair.to.name), title: `${pair.from.number} to ${pair.to.number}` };
  const passed = book.site.chapters.filter(({ name, isSideRoad }) => isSideRoad && name > from.name && name < to.name);
  const note = passed.map(({ number, title }) => `<p class=note>Chapter ${number}, ${escapeHtml(title)}, is a side road: this is the difference from the chapter before it.</p>`).join('');
  return {
    url,
    title: `From ${from.number} ${from.title} to ${to.number} ${to.title}`,
    kind: 'diffs',
    near: to.name,
    before: page(book.pairs[at - 1]),
    after: page(book.pairs[at + 1]),
    html: `<p class=place><a href="${linkBetween(url, to.url)}">the text of chapter ${to.number}</a> · <a href="${linkBetween(url, 'diff/index.html')}">compare any two</a></p>
<h1>From ${from.number} ${escapeHtml(from.title)} to ${to.number} ${escapeHtml(to.title)}</h1>
<p>${escapeHtml(to.idea.replace(/[*\`]/g, ''))}</p>${note}<p class=legend><label class=views for=split></label> <span class=key>lines that have only moved</span></p>
${renderComparison(old, fresh, { files, moved }, { linkTo })}`,
  };
}

/** The page on which a reader chooses any two chapters. */
export function renderChooser(book) {
  const url = 'diff/index.html';
  const options = (chosen) => book.site.parts.map(({ title, chapters }) => `<optgroup label="${escapeHtml(title)}">${chapters.map(({ name, number, title: words }) => `<option value="${name}"${name === chosen ? ' selected' : ''}>${number} ${escapeHtml(words)}</option>`).join('')}</optgroup>`).join('');
  const { chapters } = book.site;
  const list = book.pairs.map(({ from, to }) => `<li><a href="${linkBetween(url, pageOfDiff(from.name, to.name))}">${from.number} ${escapeHtml(from.title)} → ${to.number} ${escapeHtml(to.title)}</a></li>`);
  return {
    url,
    title: 'Compare any two chapters',
    kind: 'diffs',
    script: 'compare',
    html: `<h1>Compare any two chapters</h1>
<form id=choose class=choose><label>from <select name=from>${options(chapters[0].name)}</select></label> <label>to <select name=to>${options(chapters.at(-1).name)}</select></label> <button>Compare</button></form>
<noscript><p class=note>Any two chapters are compared in the page, which needs JavaScript. The differences of neighbours, below, do not.</p></noscript>
<p class=legend hidden><label class=views for=split></label> <span class=key>lines that have only moved</span></p>
<div id=result role=region aria-live=polite aria-label="the difference"></div>
<h2 id=neighbours>Neighbours</h2><ul class=pairs>${list.join('')}</ul>`,
  };
}
