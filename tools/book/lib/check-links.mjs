// Finds the links of the built book that lead nowhere.

import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/**
 * One sentence for each link, script, stylesheet and picture of these pages that leads to no file of `files`, or to no id of its page.
 * @param {string} folder where the book lies
 * @param {string[]} files all its files
 */
export function findDeadLinks(folder, files) {
  const known = new Set(files);
  const ids = new Map();
  const read = (path) => readFileSync(join(folder, path), 'utf8');
  const idsOf = (path, text = read(path)) => {
    if (!ids.has(path)) ids.set(path, new Set([...text.matchAll(/ id=(?:"([^"]*)"|([^\s>"]+))/g)].map(([, quoted, bare]) => unescape(quoted ?? bare))));
    return ids.get(path);
  };
  const dead = [];
  for (const page of files.filter((path) => path.endsWith('.html'))) {
    const text = read(page);
    idsOf(page, text);
    for (const [, quoted, bare] of text.matchAll(/<[a-z]+\b[^>]*? (?:href|src|action)=(?:"([^"]*)"|([^\s>"]+))/g)) {
      const target = unescape(quoted ?? bare);
      if (/^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
      const [place, fragment] = target.split('#');
      const path = place === '' ? page : posix.normalize(posix.join(posix.dirname(page), decodeURIComponent(place)));
      if (!known.has(path)) dead.push(`${page}: the link ${target} leads to ${path}, which is not in the book`);
      else if (fragment && path.endsWith('.html') && !isMadeInThePage(path) && !idsOf(path).has(decodeURIComponent(fragment))) dead.push(`${page}: the link ${target} leads to no place in ${path}`);
    }
  }
  return dead;
}

// The address of a comparison of any two chapters names them, and not a place.
const isMadeInThePage = (path) => path === 'diff/index.html';

function unescape(text) {
  return text.replace(/&#39;/g, "'").replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
}
