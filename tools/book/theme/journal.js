// The reader's journal in this browser: the same lines as ./learn keeps in .learn/progress.tsv.

import { Journal } from '../../loop/journal.mjs';

const key = 'book-progress';

export class BrowserJournal extends Journal {
  constructor() {
    super(readKept());
  }

  append(text) {
    try {
      localStorage.setItem(key, readKept() + text);
    } catch {
      // A browser that keeps nothing: it counts until the page is left.
    }
  }

  forget() {
    localStorage.removeItem(key);
  }
}

function readKept() {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}
