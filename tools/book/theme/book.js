// What every page can do beyond reading: light and dark, keys, ties, explanations, search, and a quiz that is remembered.

import { BrowserJournal } from './journal.js';

const base = document.body.dataset.base;

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It holds for this page.
  }
}

// --- Light and dark ---

document.querySelector('.theme')?.addEventListener('click', () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
  keep('book-theme', root.dataset.theme);
});

// --- Diffs: one column or two ---

const split = document.querySelector('#split');
try {
  split.checked = localStorage.getItem('book-unified') === 'true';
} catch {
  // As the page has it.
}
split.addEventListener('change', () => keep('book-unified', String(split.checked)));
// A label is no stop of the Tab key, and the box behind it is far from its diff: a button at each of them is better.
split.tabIndex = -1;
for (const label of document.querySelectorAll('label.views')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'views';
  button.setAttribute('aria-label', 'diffs in one column or side by side');
  button.addEventListener('click', () => split.click());
  label.replaceWith(button);
}

// --- Keys ---

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const { target } = event;
  if (target.closest('input, select, textarea, [contenteditable], .replay')) return;
  if (event.key === '/') {
    const field = document.querySelector('input[type=search]');
    if (field) {
      event.preventDefault();
      field.focus();
    }
    return;
  }
  const rel = { ArrowLeft: 'prev', ArrowRight: 'next' }[event.key];
  // What can be scrolled sideways has the arrows for itself.
  const scroller = target.closest('pre, .rows, .table, .canvas');
  if (!rel || (scroller && scroller.scrollWidth > scroller.clientWidth)) return;
  const link = document.querySelector(`link[rel=${rel}]`);
  if (link) location.href = link.href;
});

// --- Ties: a name in a sentence, in the code and in a trace light each other ---

function light(event, isOn) {
  const name = event.target.closest?.('[data-t]')?.dataset.t;
  if (!name) return;
  for (const other of document.querySelectorAll(`[data-t="${CSS.escape(name)}"]`)) other.classList.toggle('lit', isOn);
}
for (const [type, isOn] of [['pointerover', true], ['pointerout', false], ['focusin', true], ['focusout', false]]) document.addEventListener(type, (event) => light(event, isOn));

// A link to what is folded opens the fold.
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  let opened = false;
  for (let fold = target.closest('details:not([open])'); fold; fold = fold.parentElement.closest('details:not([open])')) {
    fold.open = true;
    opened = true;
  }
  if (opened) target.scrollIntoView();
}
addEventListener('hashchange', openTarget);
openTarget();

// --- Explanations of terms ---

const terms = document.querySelectorAll('a.term');
if (terms.length > 0) {
  const box = document.createElement('div');
  box.id = 'explanation';
  box.setAttribute('role', 'tooltip');
  box.hidden = true;
  document.body.append(box);
  const show = (term) => {
    box.textContent = term.dataset.words;
    box.hidden = false;
    const place = term.getBoundingClientRect();
    const width = Math.min(box.offsetWidth, innerWidth - 16);
    box.style.left = `${Math.max(8, Math.min(place.left, innerWidth - width - 8)) + scrollX}px`;
    box.style.top = `${place.bottom + 6 + scrollY}px`;
    term.setAttribute('aria-describedby', box.id);
  };
  const hide = (term) => {
    box.hidden = true;
    term.removeAttribute('aria-describedby');
  };
  for (const term of terms) {
    term.dataset.words = term.title;
    term.removeAttribute('title');
    term.addEventListener('pointerenter', () => show(term));
    term.addEventListener('pointerleave', () => hide(term));
    term.addEventListener('focus', () => show(term));
    term.addEventListener('blur', () => hide(term));
  }
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') box.hidden = true;
  });
}

// --- Quizzes: the first answer counts, as in ./learn quiz ---

const quizzes = document.querySelectorAll('.quiz[data-id]');
if (quizzes.length > 0) {
  const journal = new BrowserJournal();
  for (const quiz of quizzes) followQuiz(quiz, journal);
}

function followQuiz(quiz, journal) {
  const { chapter, id } = quiz.dataset;
  const verdict = quiz.querySelector('.verdict');
  const last = chapter && journal.find({ chapter, kind: 'quiz', id }).at(-1);
  if (last) verdict.textContent = `You have answered this before, ${last.result} at first, on ${last.time.slice(0, 10)}.`;
  let isNoted = false;
  for (const option of quiz.querySelectorAll('.option, .tell')) {
    // What opens without the reader, as for printing or by a search of the browser, is no answer.
    option.querySelector('summary').addEventListener('click', () => {
      if (option.open || isNoted || !chapter) return;
      // Wrong at first is wrong, whatever comes after it: noted at once, so that it counts when the reader leaves.
      isNoted = true;
      const isRight = option.matches('.right');
      journal.add({ chapter, kind: 'quiz', id, hash: id, result: isRight ? 'right' : 'wrong', number: 1 });
      verdict.textContent = isRight ? 'Noted: right at first.' : 'Noted: not right at first. It is due again at once.';
    });
  }
}

// --- Search: what it needs is fetched when the reader begins to type ---

const field = document.querySelector('.find input');
field?.addEventListener('focus', () => {
  if (globalThis.bookSearch || document.querySelector('script[data-search]')) return;
  const script = document.createElement('script');
  script.src = `${base}assets/search.js`;
  script.dataset.search = '';
  document.head.append(script);
}, { once: true });
if (document.querySelector('.find-page')) {
  const script = document.createElement('script');
  script.src = `${base}assets/search.js`;
  script.dataset.search = '';
  document.head.append(script);
}

// --- The part of the page that is being read, in the contents ---

const here = new Map([...document.querySelectorAll('#contents .here a')].map((link) => [decodeURIComponent(link.hash.slice(1)), link]));
if (here.size > 0 && 'IntersectionObserver' in globalThis) {
  const headings = [...here.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  const mark = () => {
    const current = headings.filter((heading) => heading.getBoundingClientRect().top < 140).at(-1);
    for (const [id, link] of here) link.classList.toggle('now', id === current?.id);
  };
  const observer = new IntersectionObserver(mark, { rootMargin: '-100px 0px -60% 0px' });
  headings.forEach((heading) => observer.observe(heading));
  mark();
}
const current = document.querySelector('#contents [aria-current]');
const contents = document.querySelector('#contents');
if (current && getComputedStyle(contents).position === 'sticky') contents.scrollTop = Math.max(0, current.offsetTop - 160);

// --- On paper everything is open ---

addEventListener('beforeprint', () => {
  for (const fold of document.querySelectorAll('main details:not([open])')) {
    fold.open = true;
    fold.dataset.forPrint = '';
  }
});
addEventListener('afterprint', () => {
  for (const fold of document.querySelectorAll('[data-for-print]')) {
    fold.open = false;
    delete fold.dataset.forPrint;
  }
});
