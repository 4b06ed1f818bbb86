// The whole difference of two chapters: the list of their files, then each file that differs. Runs in the builder for neighbours and in
// the page for any other two.
//
// A chapter here is {name, files: {path: coloured lines}}.

import { compareTexts } from '../../docs/lib/edits.mjs';
import { findMoves } from './changes.mjs';
import { countChanges, renderRows } from './diff.mjs';
import { escapeHtml, textOf } from './html.mjs';

/**
 * The difference as {files: [{file, fate, rows, added, removed, moved}], moved: Set of rows}; fate is 'new', 'gone', 'changed' or
 * 'unchanged'. A CMakeLists.txt in which only the chapter's name is another one is left out.
 */
export function compareChapters(old, fresh) {
  const names = [...new Set(['server.cpp', ...[...Object.keys(old.files), ...Object.keys(fresh.files)].sort()])];
  const files = names.filter((file) => old.files[file] || fresh.files[file]).map((file) => compareFile(file, old, fresh)).filter(Boolean);
  const moved = findMoves(files.map(({ rows }) => rows));
  return { files: files.map((entry) => ({ ...entry, ...countChanges(entry.rows, moved) })), moved };
}

function compareFile(file, old, fresh) {
  const [before, after] = [old.files[file] ?? [], fresh.files[file] ?? []].map((lines) => lines.map(textOf));
  if (file === 'CMakeLists.txt' && before.join('\n').replaceAll(old.name, fresh.name) === after.join('\n')) return undefined;
  const rows = compareTexts(before, after);
  const isSame = rows.every(({ sign }) => sign === ' ');
  const fate = !old.files[file] ? 'new' : !fresh.files[file] ? 'gone' : isSame ? 'unchanged' : 'changed';
  return { file, fate, rows };
}

export const anchorOf = (file) => `file-${file.replace(/[^\w.-]/g, '-')}`;

/** The comparison as HTML: a sum, the files, then their rows. `linkTo(file, side)` is the address of a file's page: side is 'old' or 'new'. */
export function renderComparison(old, fresh, { files, moved }, { linkTo }) {
  const changed = files.filter(({ fate }) => fate !== 'unchanged');
  const sum = (key) => changed.reduce((total, entry) => total + entry[key], 0);
  const movedWords = sum('moved') === 0 ? '' : sum('moved') === 1 ? ', and 1 line of these has only moved' : `, and ${sum('moved')} lines of these have only moved`;
  const total = `<p class=sum>${changed.length === 0 ? 'The two have the same code.' : `<span class=plus>+${sum('added')}</span> <span class=minus>−${sum('removed')}</span> lines${movedWords}.`}</p>`;
  const list = files.map(({ file, fate, added, removed, moved: count }) => {
    const target = fate === 'unchanged' ? linkTo(file, 'new') : `#${anchorOf(file)}`;
    const numbers = fate === 'unchanged' ? '' : `<span class=plus>+${added}</span> <span class=minus>−${removed}</span>${count > 0 ? ` <span class=moved>${count} moved here</span>` : ''}`;
    return `<li><a href="${escapeHtml(target)}"><code>${escapeHtml(file)}</code></a> <span class=fate>${fate}</span> ${numbers}</li>`;
  });
  const parts = changed.map((entry) => renderFile(entry, old, fresh, moved, linkTo));
  return `${total}<ul class=files>${list.join('')}</ul>${parts.join('')}`;
}

function renderFile({ file, fate, rows, added, removed }, old, fresh, moved, linkTo) {
  const colours = { old: old.files[file] ?? [], new: fresh.files[file] ?? [] };
  const links = [...(fate === 'new' ? [] : [['old', old]]), ...(fate === 'gone' ? [] : [['new', fresh]])]
    .map(([side, { name }]) => `<a href="${escapeHtml(linkTo(file, side))}">${escapeHtml(name)}</a>`);
  const title = `<h2 id="${anchorOf(file)}"><code>${escapeHtml(file)}</code></h2>`;
  const note = `<p class=note>${fate === 'changed' ? '' : `${fate}, `}<span class=plus>+${added}</span> <span class=minus>−${removed}</span>; the whole file: ${links.join(', ')}</p>`;
  return `${title}${note}<div class=diff><div class=rows tabindex=0 role=group aria-label="the difference in ${escapeHtml(file)}">${renderRows(rows, colours, { moved, folds: true })}</div></div>`;
}
