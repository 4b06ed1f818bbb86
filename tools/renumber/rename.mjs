// Gives chapters other numbers: their folders and files, and every place where a text says one.

import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renumber } from '../docs/lib/chapter-mentions.mjs';
import { Problem } from '../observe/problem.mjs';

// Chapters that are made up for a test keep the numbers that they have there.
export const fictions = /^tools\/(?:test-[^/]+|(?:docs|bench|loop|renumber)\/test\/.*|docs\/lib\/chapter-mentions\.mjs)$/;

// A text for readers: there a number stands in more forms than in code. A picture has the labels of tables.
const isText = (path) => /\.(?:md|txt|svg)$/.test(path) && !path.endsWith('CMakeLists.txt');

/** The paths, from `root`, of all files that are the project's: those that git knows and those that it does not ignore. */
export function listFiles(root) {
  const { status, stdout, stderr } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Problem(`git cannot list the files of ${root}: ${stderr?.trim() || 'is git there?'}`);
  return stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)) && lstatSync(join(root, path)).isFile());
}

/**
 * Renames chapters. `names` are the full names that there are, `newNames` a Map from some of them to the ones that they
 * get. Nothing is written before everything has been read.
 */
export function renameChapters(root, names, newNames) {
  const newNumbers = new Map(names.map((name) => [name.slice(0, 2), (newNames.get(name) ?? name).slice(0, 2)]));
  const files = listFiles(root);
  const edits = files.filter((path) => !fictions.test(path)).flatMap((path) => {
    const old = readFileSync(join(root, path), 'utf8');
    if (old.includes('\0') || Buffer.from(old).length !== lstatSync(join(root, path)).size) return []; // no text
    const text = renumber(old, names, (number) => newNumbers.get(number) ?? number, { isMarkdown: isText(path) });
    return text === old ? [] : [{ path, text }];
  });
  for (const { path, text } of edits) writeFileSync(join(root, path), text);
  // In two steps, so that nothing is in the way of a chapter that takes the place of another.
  const moves = findNamedPaths(files, newNames);
  for (const { from, aside } of moves) renameSync(join(root, from), join(root, aside));
  for (const { aside, to } of moves) renameSync(join(root, aside), join(root, to));
}

// The folders and files that are called after a chapter: chapters/NN-name, docs/NN-name.md.
function findNamedPaths(files, newNames) {
  const found = new Map();
  for (const path of files.filter((file) => !fictions.test(file))) {
    const parts = path.split('/');
    const place = parts.findIndex((part) => newNames.has(part.replace(/\..*$/, '')));
    if (place < 0) continue;
    const name = parts[place].replace(/\..*$/, '');
    const folder = parts.slice(0, place).map((part) => `${part}/`).join('');
    const end = parts[place].slice(name.length);
    found.set(folder + parts[place], { from: folder + parts[place], aside: `${folder}.renumber-${name}${end}`, to: folder + newNames.get(name) + end });
  }
  return [...found.values()];
}
