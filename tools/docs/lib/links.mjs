// Links: a relative one leads to a file, its #anchor to a heading there; an external one is well formed.

import { posix } from 'node:path';
import { Problem } from './problem.mjs';

const linkForms = [
  // [text](target), ![text](<target>), with an optional title. The text may hold anything.
  /\]\(\s*(?:<([^<>]*)>|([^\s()<>]*(?:\([^\s()]*\)[^\s()]*)*))(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?\s*\)/g,
  // [name]: target, on a line of its own
  /^ {0,3}\[[^\]]+\]:\s*(?:<([^<>]*)>|(\S+))/g,
  // <a href="target">, <img src="target">
  /<(?:a|img|source)\b[^>]*?\s(?:href|src|srcset)="([^"]*)"/g,
  // <https://...>
  /<([a-z][a-z0-9+.-]*:[^<>\s]*)>/gi,
];

export class LinkChecker {
  #anchors = new Map();

  constructor(project) {
    this.project = project;
  }

  check(document, report) {
    document.readInline().lines.forEach((text, index) => {
      for (const target of findTargets(text)) {
        report.guard(document.path, index + 1, () => this.#checkTarget(document, target));
      }
    });
  }

  #checkTarget(document, target) {
    if (target === '') throw new Problem('this link leads nowhere; give it a target');
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return checkExternal(target);
    if (target.startsWith('/')) throw new Problem(`the link ${target} begins with a slash; write it relative to this file`);
    const [place, fragment] = splitAtHash(target);
    const path = place === '' ? document.path : posix.normalize(posix.join(posix.dirname(document.path), decode(place)));
    if (path.startsWith('..')) throw new Problem(`the link ${target} leads out of the project; correct it`);
    if (!this.project.exists(path)) throw new Problem(`the link ${target} leads to ${path}, which does not exist; correct it`);
    if (fragment !== undefined) this.#checkFragment(target, path, decode(fragment));
  }

  #checkFragment(target, path, fragment) {
    if (!path.endsWith('.md')) {
      // A code host's way to point at lines of a file.
      if (/^L\d+(-L\d+)?$/.test(fragment)) return;
      throw new Problem(`the link ${target} has an anchor, but ${path} is no Markdown; take the anchor out`);
    }
    const anchors = this.#anchorsOf(path);
    if (anchors.has(fragment)) return;
    throw new Problem(`the link ${target} leads to no heading of ${path}; its headings are ${[...anchors].map((anchor) => `#${anchor}`).join(', ') || 'none'}`);
  }

  #anchorsOf(path) {
    if (!this.#anchors.has(path)) this.#anchors.set(path, collectAnchors(this.project.readDocument(path)));
    return this.#anchors.get(path);
  }
}

function findTargets(text) {
  return linkForms.flatMap((form) => [...text.matchAll(form)].map((match) => match[1] ?? match[2]));
}

function checkExternal(target) {
  if (!/^https?:/i.test(target)) throw new Problem(`the link ${target} is neither http nor https; use one of these, or a relative link`);
  let url;
  try {
    url = new URL(target);
  } catch {
    throw new Problem(`the link ${target} is not well formed; correct it`);
  }
  if (!/^https?:\/\/[^/]/i.test(target) || !url.hostname.includes('.')) throw new Problem(`the link ${target} has no host's name; correct it`);
}

function splitAtHash(target) {
  const at = target.indexOf('#');
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)];
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem(`"${text}" has a % that is no escape; write %25 for it`);
  }
}

function collectAnchors(document) {
  const anchors = new Set();
  for (const { text } of document.headings) {
    const slug = slugify(text);
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  document.lines.forEach((line, index) => {
    if (!document.isProse[index]) return;
    for (const [, id] of line.matchAll(/<[a-z]+\b[^>]*?\s(?:id|name)="([^"]+)"/g)) anchors.add(id);
  });
  return anchors;
}

// As GitHub makes an anchor of a heading: what is shown, in lower case, without punctuation, with - for
// each blank.
export function slugify(heading) {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]*>/g, '')
    .replace(/(?<![\p{L}\p{N}])_([^_]+)_(?![\p{L}\p{N}])/gu, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replace(/ /g, '-');
}
