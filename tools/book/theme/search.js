// The search: the entries are fetched once, and an index is made of them in the page.

import MiniSearch from 'minisearch';
import { escapeHtml } from '../view/html.mjs';

const base = document.body.dataset.base;
const most = 30;
const kindNames = { text: 'text', function: 'function or type', call: 'system call' };

let ready;

function prepare() {
  ready ??= fetch(`${base}search.json`).then((response) => {
    if (!response.ok) throw new Error(`the search's file: ${response.status}`);
    return response.json();
  }).then(async (entries) => {
    const index = new MiniSearch({
      fields: ['title', 'text'],
      idField: 'at',
      // A name is a word, also with its underscores; what stands before :: is one, too.
      tokenize: (text) => text.split(/[^\p{L}\p{N}_]+/u).filter(Boolean),
      searchOptions: { prefix: true, fuzzy: (term) => (term.length > 5 && !term.includes('_') ? 0.15 : false), combineWith: 'AND', boost: { title: 4 }, boostDocument: (at) => ({ call: 3, term: 2.5, function: 2 })[entries[at].kind] ?? 1 },
    });
    await index.addAllAsync(entries.map((entry, at) => ({ ...entry, at })), { chunkSize: 100 });
    return { entries, index };
  });
  return ready;
}

// A stretch of the text around the first word that fits.
function excerpt(text, terms) {
  const form = new RegExp(`(?<![\\p{L}\\p{N}_])(${terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})`, 'iu');
  const at = text.search(form);
  const start = at < 60 ? 0 : text.indexOf(' ', at - 60) + 1;
  const piece = text.slice(start, start + 180);
  const marked = escapeHtml(piece).replace(new RegExp(form.source, 'giu'), '<mark>$1</mark>');
  return `${start > 0 ? '… ' : ''}${marked}${start + 180 < text.length ? ' …' : ''}`;
}

async function show(words, place) {
  const query = words.replace(/\(\)|"/g, '').trim();
  if (query === '') {
    place.hidden = true;
    place.innerHTML = '';
    return;
  }
  place.hidden = false;
  let found;
  try {
    const { entries, index } = await prepare();
    found = index.search(query).map((result) => ({ ...entries[result.id], terms: result.terms }));
  } catch (error) {
    place.innerHTML = `<p>The search does not work here: ${escapeHtml(error.message)}.</p>`;
    return;
  }
  if (place.dataset.query !== words) return; // The reader has typed on.
  const list = found.slice(0, most).map(({ kind, url, title, where, text, terms }) => {
    const line = kind === 'text' || kind === 'term' ? `${where === title ? '' : `${escapeHtml(where)} · `}${excerpt(text, terms)}` : `${kindNames[kind]}, ${escapeHtml(where)} ${escapeHtml(text)}`;
    return `<li><a href="${escapeHtml(base + url)}"><b>${kind === 'text' || kind === 'term' ? escapeHtml(title) : `<code>${escapeHtml(title)}</code>`}</b><small>${line}</small></a></li>`;
  });
  place.innerHTML = found.length === 0 ? `<p>Nothing has all of these words: ${escapeHtml(query)}.</p>`
    : `<ol>${list.join('')}</ol>${found.length > most ? `<p>and ${found.length - most} more</p>` : ''}`;
}

function follow(field, place) {
  const update = () => {
    place.dataset.query = field.value;
    show(field.value, place);
  };
  field.addEventListener('input', update);
  if (field.value !== '') update();
}

const bar = document.querySelector('.find');
if (bar?.matches('form')) {
  const field = bar.querySelector('input');
  const place = bar.querySelector('.found');
  follow(field, place);
  bar.addEventListener('keydown', (event) => {
    const links = [...place.querySelectorAll('a')];
    const at = links.indexOf(document.activeElement);
    if (event.key === 'Escape') {
      place.hidden = true;
      field.focus();
    } else if (event.key === 'ArrowDown' && links.length > 0) {
      event.preventDefault();
      links[Math.min(at + 1, links.length - 1)].focus();
    } else if (event.key === 'ArrowUp' && at >= 0) {
      event.preventDefault();
      (links[at - 1] ?? field).focus();
    }
  });
  document.addEventListener('click', (event) => {
    if (!bar.contains(event.target)) place.hidden = true;
  });
  field.addEventListener('focus', () => {
    if (field.value !== '') place.hidden = false;
  });
  prepare().catch(() => {});
}
const page = document.querySelector('.find-page');
if (page) {
  const field = page.querySelector('input');
  field.value = new URLSearchParams(location.search).get('q') ?? '';
  page.addEventListener('submit', (event) => event.preventDefault());
  follow(field, document.querySelector('#found'));
  field.focus();
}
globalThis.bookSearch = true;
