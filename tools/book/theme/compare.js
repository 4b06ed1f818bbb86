// Compares any two chapters in the page, from their sources. The address names them: #01-iterative/53-per-core.

import { compareChapters, renderComparison } from '../view/compare.mjs';
import { escapeHtml } from '../view/html.mjs';

const base = document.body.dataset.base;
const form = document.querySelector('#choose');
const place = document.querySelector('#result');
const legend = document.querySelector('.legend');

async function load(name) {
  const response = await fetch(`${base}sources/${name}.json`);
  if (!response.ok) throw new Error(`the sources of ${name} cannot be read (${response.status})`);
  return response.json();
}

async function compare() {
  const [from, to] = decodeURIComponent(location.hash.slice(1)).split('/');
  const has = (name) => [...form.elements.from.options].some((option) => option.value === name);
  if (!has(from) || !has(to)) return;
  form.elements.from.value = from;
  form.elements.to.value = to;
  if (from === to) {
    place.innerHTML = '<p>These are the same chapter.</p>';
    return;
  }
  place.innerHTML = '<p>comparing …</p>';
  try {
    const [old, fresh] = await Promise.all([load(from), load(to)]);
    const linkTo = (file, side) => `${base}code/chapters/${side === 'old' ? from : to}/${file}.html`;
    // The files are reached by ids in this page, and the address names the chapters: so these links only scroll.
    place.innerHTML = `<h2>From ${escapeHtml(from)} to ${escapeHtml(to)}</h2>${renderComparison(old, fresh, compareChapters(old, fresh), { linkTo })}`;
    legend.hidden = false;
  } catch (error) {
    place.innerHTML = `<p>They cannot be compared: ${escapeHtml(error.message)}.</p>`;
  }
}

place.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="#file-"]');
  if (!link) return;
  event.preventDefault();
  document.getElementById(link.getAttribute('href').slice(1))?.scrollIntoView();
});
form.addEventListener('submit', (event) => {
  event.preventDefault();
  location.hash = `${form.elements.from.value}/${form.elements.to.value}`;
});
addEventListener('hashchange', compare);
compare();
