// Anchors: how a marker names a part of a source file.
//
//   fn:echo  fn:Task::resume  fn:echo#2  fn:"echo(int fd"    a function, in the new text
//   type:Connection                                          a struct, class, union or enum
//   old-fn:echo  old-type:Connection                         the same in the old text
//   test:"the second client waits"                           a Catch2 test
//   "text"  +"text"  -"text"                                 the one line that holds this text (- old, + new)
//   "text" .. "text"                                         from one line to another
//   rest                                                     what no other block shows
//
// `#2` and a piece of the head with its parenthesis both choose among overloads.

import { Problem } from './problem.mjs';

// One argument of a marker: `..`, a text with its side, a prefix with a quoted name, or a bare word.
const argumentForm = /\s*(?:(?<dots>\.\.)(?=\s|$)|(?<side>[-+]?)"(?<text>(?:[^"\\]|\\.)*)"(?=\s|$)|(?<prefix>[a-z-]+):"(?<quoted>(?:[^"\\]|\\.)*)"(?<pick>#\d+)?(?=\s|$)|(?<word>[^\s"]+)(?=\s|$))/y;

const itemKinds = { fn: 'function', type: 'type', test: 'test' };

export function readArguments(text) {
  const found = [];
  const end = text.trimEnd().length;
  argumentForm.lastIndex = 0;
  while (argumentForm.lastIndex < end) {
    const start = argumentForm.lastIndex;
    const match = argumentForm.exec(text);
    if (!match) throw new Problem(`cannot read this marker from "${text.slice(start).trim()}" on; check its quotes`);
    found.push(match.groups);
  }
  return found;
}

// The first argument as a plain word, such as a path.
export function takeWord(found, what) {
  const word = found.shift()?.word;
  if (word === undefined) throw new Problem(`this marker needs ${what} first`);
  return word;
}

export function parseAnchors(found) {
  const anchors = [];
  for (let index = 0; index < found.length; index++) {
    const { text, dots } = found[index];
    if (dots) throw new Problem('".." stands between two texts: write "first text" .. "last text"');
    if (text === undefined) {
      anchors.push(parseItemAnchor(found[index]));
    } else if (found[index + 1]?.dots) {
      const to = found[index + 2];
      if (to?.text === undefined) throw new Problem('after ".." a text in quotes is missing');
      anchors.push({ kind: 'text', from: parseText(found[index]), to: parseText(to) });
      index += 2;
    } else {
      anchors.push({ kind: 'text', from: parseText(found[index]) });
    }
  }
  if (anchors.length > 1 && anchors.some((anchor) => anchor.kind === 'rest')) {
    throw new Problem('"rest" is everything that no other block shows; it stands alone in its marker');
  }
  return anchors;
}

export function readAnchors(text) {
  return parseAnchors(readArguments(text));
}

function parseText({ side, text }) {
  return { side: side === '-' ? 'old' : 'new', text: text.replace(/\\"/g, '"') };
}

function parseItemAnchor({ word, prefix, quoted, pick }) {
  if (word === 'rest') return { kind: 'rest' };
  const [, wordPrefix, wordName, wordPick] = /^([a-z-]+):(.+?)(#\d+)?$/.exec(word ?? '') ?? [];
  const [, old, kind] = /^(old-)?(fn|type|test)$/.exec(prefix ?? wordPrefix ?? '') ?? [];
  if (kind === undefined || (old && kind === 'test')) {
    throw new Problem(`"${word ?? prefix}" is no anchor; use fn:, old-fn:, type:, old-type:, test:, a text in quotes, or rest`);
  }
  return {
    kind,
    side: old ? 'old' : 'new',
    name: (quoted ?? wordName).replace(/\\"/g, '"'),
    pick: Number((pick ?? wordPick ?? '#0').slice(1)),
  };
}

// The one item of a source that the anchor names.
export function findItem(source, anchor) {
  const all = source.items.filter((item) => item.kind === anchor.kind);
  const candidates = matchItems(all, anchor.name);
  if (candidates.length === 0) {
    throw new Problem(`${source.path} has no ${itemKinds[anchor.kind]} ${anchor.name}; it has ${listNames(all)}`);
  }
  if (anchor.pick > candidates.length) {
    throw new Problem(`${source.path} has only ${candidates.length} of ${anchor.kind}:${anchor.name}; choose ${listCandidates(candidates, anchor)}`);
  }
  if (anchor.pick === 0 && candidates.length > 1) {
    throw new Problem(`${anchor.kind}:${anchor.name} is ambiguous in ${source.path}; choose ${listCandidates(candidates, anchor)}`);
  }
  return candidates[Math.max(anchor.pick, 1) - 1];
}

// Exact names come first, so that a free read() hides Connection::read from fn:read.
function matchItems(items, name) {
  if (items.some((item) => item.kind === 'test')) return items.filter((item) => item.name === name);
  if (name.includes('(') && !name.startsWith('operator')) return items.filter((item) => item.head.includes(name));
  const exact = items.filter((item) => item.name === name || item.fullName === name);
  return exact.length > 0 ? exact : items.filter((item) => item.fullName.endsWith(`::${name}`));
}

function listNames(items) {
  const names = [...new Set(items.map((item) => item.name))];
  return names.length > 0 ? names.join(', ') : 'none';
}

function listCandidates(candidates, anchor) {
  return candidates.map((item, index) => `${anchor.kind}:${quoteName(anchor.name)}#${index + 1} (line ${item.nameLine}: ${item.signature})`).join(' or ');
}

// The anchor that names this item and no other one, as it is written in a marker.
export function describeItem(source, item, prefix = '') {
  const overloads = matchItems(source.items.filter((other) => other.kind === item.kind), item.name);
  const pick = overloads.length > 1 ? `#${overloads.indexOf(item) + 1}` : '';
  return `${prefix}${item.kind}:${quoteName(item.name)}${pick}`;
}

function quoteName(name) {
  return /[\s"]/.test(name) ? quoteText(name) : name;
}

function quoteText(text) {
  return `"${text.replace(/"/g, '\\"')}"`;
}

// The number of the one line that holds the text.
export function findTextLine(source, text) {
  const found = source.lines.flatMap((line, index) => (line.includes(text) ? [index + 1] : []));
  if (found.length === 1) return found[0];
  if (found.length === 0) throw new Problem(`no line of ${source.path} contains "${text}"; copy the text from the file as it is now`);
  throw new Problem(`"${text}" is in lines ${found.join(', ')} of ${source.path}; take a longer text that is in one of them only`);
}

// A quoted text that only this line of the source holds; undefined when there is none.
export function describeLine(source, line) {
  const whole = source.lines[line - 1].trim();
  // Pieces without quotes read better in a marker than escaped ones.
  const pieces = whole.split('"').map((piece) => piece.trim()).filter((piece) => piece.length >= 4);
  const choices = [...(whole.includes('"') ? [] : [whole]), ...pieces.sort((a, b) => b.length - a.length), whole];
  const isUsable = (text) => text !== '' && !/\\|-->/.test(text) && source.lines.filter((other) => other.includes(text)).length === 1;
  const text = choices.find(isUsable);
  return text === undefined ? undefined : quoteText(text);
}
