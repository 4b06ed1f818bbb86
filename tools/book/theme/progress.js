// The page of the reader's progress: what is kept in this browser, counted, carried out and in.

import { BrowserJournal } from './journal.js';

let journal = new BrowserJournal();
const told = document.querySelector('#carried');

function countRows() {
  const now = Date.now();
  for (const row of document.querySelectorAll('#progress tbody tr')) {
    const { chapter } = row.dataset;
    const ids = row.dataset.ids.split(' ').filter(Boolean);
    const last = ids.map((id) => journal.find({ chapter, kind: 'quiz', id }).at(-1)).filter(Boolean);
    const due = ids.filter((id) => journal.dueAt({ chapter, kind: 'quiz', id }) <= now).length;
    const others = new Map();
    for (const { kind, id } of journal.find({ chapter })) if (kind !== 'quiz') others.set(kind, (others.get(kind) ?? new Set()).add(id));
    const words = [...others].map(([kind, set]) => `${kind} ${set.size}`).join(', ');
    const cells = [`${last.length} of ${ids.length}`, last.length === 0 ? '–' : String(last.filter(({ result }) => result === 'right').length), due === 0 ? '–' : String(due), words || '–'];
    cells.forEach((text, index) => {
      row.cells[index + 1].textContent = text;
    });
  }
}

document.querySelector('#export').addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([journal.toText()], { type: 'text/tab-separated-values' }));
  link.download = 'progress.tsv';
  link.click();
  URL.revokeObjectURL(link.href);
});

document.querySelector('#import').addEventListener('change', async ({ target }) => {
  const [file] = target.files;
  if (!file) return;
  const { added, known, unread } = journal.merge(await file.text());
  told.textContent = `${added} lines added, ${known} were here already${unread.length > 0 ? `, ${unread.length} cannot be read` : ''}.`;
  target.value = '';
  countRows();
});

document.querySelector('#forget').addEventListener('click', () => {
  if (!confirm('Forget all that this browser has kept of your progress?')) return;
  journal.forget();
  journal = new BrowserJournal();
  told.textContent = 'All of it is forgotten.';
  countRows();
});

countRows();
