// The glossary's terms, explained where a text first uses them.

import { slugify } from '../../docs/lib/links.mjs';
import { escapeHtml } from '../view/html.mjs';
import { linkBetween, stripMarkdown } from './site.mjs';

const entryForm = /^\*\*([^*]+)\*\*: (.*)$/;

// Terms that are everyday words, too, with another meaning: explained on the glossary's page, and not wherever a text has the word.
const everyday = new Set(['address', 'batch', 'budget', 'cancel', 'container', 'contract', 'core', 'drain', 'environment', 'event', 'exec', 'handle', 'head', 'heap', 'join', 'limit',
  'loader', 'loan', 'node', 'notify', 'null', 'operation', 'page', 'pair', 'parent', 'part', 'path', 'permit', 'promise', 'ps', 'ss', 'nc', 'reset', 'round', 'select', 'segment', 'slot', 'start', 'steal', 'suspend',
  'resume', 'tail', 'task', 'turn', 'union', 'why', 'window', 'worker', 'handler', 'orphan', 'completion', 'reap', 'poll', 'generator', 'median', 'child', 'future', 'readiness']);

export class Glossary {
  constructor(site) {
    const page = site.findDocument('docs/glossary.md');
    this.url = page?.url;
    this.entries = [];
    const lines = page?.document.lines ?? [];
    lines.forEach((line, index) => {
      const match = entryForm.exec(line);
      if (!match) return;
      let text = match[2];
      for (let next = index + 1; lines[next]?.trim(); next++) text += ` ${lines[next]}`;
      const names = match[1].split(/,\s*/).map(stripMarkdown);
      // The chapters at the end of an entry are for its page.
      const words = stripMarkdown(text.replace(/(\s*\[[^\]]+\]\([^)]+\),?)+\s*$/, ''));
      this.entries.push({ id: slugify(names[0]), names, words });
    });
    this.byName = new Map(this.entries.flatMap((entry) => entry.names.flatMap((name) => formsOf(name).map((form) => [form, entry]))));
    const forms = [...this.byName.keys()].sort((a, b) => b.length - a.length).map((form) => form.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    this.form = forms.length > 0 ? new RegExp(`(?<![\\p{L}\\p{N}_-])(${forms.join('|')})(?![\\p{L}\\p{N}_-])`, 'giu') : undefined;
  }

  /** A text as HTML, the first use of each term on its page a link with the explanation. */
  renderText(text, { page, seenTerms }) {
    if (!this.form || page.url === this.url || !page.path.startsWith('docs/')) return escapeHtml(text);
    let html = '';
    let end = 0;
    for (const match of text.matchAll(this.form)) {
      const entry = this.byName.get(match[1]) ?? this.byName.get(match[1].toLowerCase());
      if (!entry || seenTerms.has(entry)) continue;
      seenTerms.add(entry);
      html += `${escapeHtml(text.slice(end, match.index))}<a class=term href="${linkBetween(page.url, this.url, entry.id)}" title="${escapeHtml(entry.words)}">${escapeHtml(match[1])}</a>`;
      end = match.index + match[1].length;
    }
    return html + escapeHtml(text.slice(end));
  }

  /** The ids that the entries have on the glossary's page: a list of {id, words} by the bold words that begin them. */
  idOf(words) {
    const first = stripMarkdown(words.split(',')[0]);
    return this.entries.find(({ names }) => names[0] === first)?.id;
  }
}

// Accept queue, accept queues: a term at the beginning of a sentence, or as a plural, is the same.
function formsOf(name) {
  if (everyday.has(name.toLowerCase()) || name.length < 3) return [];
  const isName = name !== name.toLowerCase();
  const plural = /[a-z]$/.test(name) && !/s$/.test(name) ? [`${name}s`] : [];
  return [name, ...plural].map((form) => (isName ? form : form.toLowerCase()));
}
