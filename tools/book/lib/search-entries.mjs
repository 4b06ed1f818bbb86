// What the search looks through: the sections of the texts, the functions and types of the chapters, and the system calls that they make.

import { itemsOf } from './code-pages.mjs';
import { pageOfSource } from './site.mjs';

/** Entries {kind: 'text' | 'term' | 'function' | 'call', url, title, where, text}, in the order of the book. */
export function listSearchEntries(book, sections) {
  const { glossary } = book;
  const terms = glossary.entries.map(({ id, names, words }) => ({ kind: 'term', url: `${glossary.url}#${id}`, title: names.join(', '), where: 'glossary', text: words }));
  return [...listSections(sections.filter(({ page }) => page.url !== glossary.url)), ...terms, ...listCode(book)];
}

function listSections(sections) {
  return sections.flatMap(({ page, id, title, text }) => {
    const words = text.join(' ').replace(/\s+/g, ' ').trim();
    if (words === '' && title === '') return [];
    const isTop = title === '' || title === page.title;
    return [{ kind: 'text', url: isTop ? page.url : `${page.url}#${id}`, title: title || page.title, where: page.title, text: words }];
  });
}

// ::accept4(, not Reactor::run(; and the functions of liburing, which stand for system calls.
const callForm = /(?<![\w>:])(?:::([a-z]\w*)|(io_uring_\w+))\(/g;

function listCode({ site }) {
  const functions = new Map();
  const calls = new Map();
  const add = (map, name, chapter, url) => {
    const entry = map.get(name) ?? { chapters: [], url };
    if (!entry.chapters.includes(chapter)) entry.chapters.push(chapter);
    map.set(name, entry);
  };
  for (const chapter of site.chapters) {
    for (const path of site.sourcePaths.filter((name) => name.startsWith(`chapters/${chapter.name}/`))) {
      for (const item of itemsOf(site.project, path)) add(functions, item.name, chapter, `${pageOfSource(path)}#L${item.nameLine}`);
      site.project.readSource(path).lines.forEach((line, index) => {
        for (const [, call, ringCall] of line.replace(/\/\/.*$/, '').matchAll(callForm)) add(calls, call ?? ringCall, chapter, `${pageOfSource(path)}#L${index + 1}`);
      });
    }
  }
  const shared = site.sourcePaths.filter((path) => path.startsWith('common/'));
  const common = { number: 'common', name: 'common', title: 'common' };
  for (const path of shared) {
    for (const item of itemsOf(site.project, path)) add(functions, item.name, common, `${pageOfSource(path)}#L${item.nameLine}`);
    site.project.readSource(path).lines.forEach((line, index) => {
      for (const [, call] of line.replace(/\/\/.*$/, '').matchAll(callForm)) if (call) add(calls, call, common, `${pageOfSource(path)}#L${index + 1}`);
    });
  }
  const entry = (kind, words) => ([name, { chapters, url }]) => ({
    kind, url, title: kind === 'call' ? `${name}()` : name, where: words, text: describeChapters(chapters, site),
  });
  return [...[...calls].map(entry('call', 'called in')), ...[...functions].map(entry('function', 'defined in'))];
}

// "chapters 03, 05 to 07", by the chapters' order; a code that all share is common/.
function describeChapters(chapters, site) {
  const places = chapters.map((chapter) => site.chapters.indexOf(chapter)).filter((at) => at >= 0);
  const runs = [];
  for (const at of places) {
    if (runs.at(-1)?.[1] === at - 1) runs.at(-1)[1] = at;
    else runs.push([at, at]);
  }
  const words = runs.map(([first, last]) => (first === last ? site.chapters[first].number : `${site.chapters[first].number} to ${site.chapters[last].number}`));
  const parts = [...(words.length > 0 ? [`${places.length === 1 ? 'chapter' : 'chapters'} ${words.join(', ')}`] : []), ...(chapters.length > places.length ? ['common/'] : [])];
  return parts.join(' and ');
}
