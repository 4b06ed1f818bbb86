// Builds the book into a folder: only what has changed since the last time is written, and nothing at all where nothing has.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Problem } from '../../docs/lib/problem.mjs';
import { Book } from './book.mjs';
import { makeAssets } from './assets.mjs';

/** The file in the built folder that says from what it was built, and which files are of the book. */
const recordName = '.book.json';

// What the book is made from: a change in any of these builds it anew.
const inputs = ['README.md', 'CONTRIBUTING.md', 'AGENTS.md', 'docs', 'chapters', 'common', 'tests', 'tools', 'cmake', 'CMakeLists.txt', 'CMakePresets.json', 'learn'];
const foreign = new Set(['node_modules', 'test', 'build']);

/**
 * Builds the book of the project at `root` into `folder`, unless it is there already.
 * @param {object} options
 *   cache  a folder for what may be kept from one run to the next
 *   fresh  build it in any case
 *   tell   (text) is told what is being done, over and over
 * @returns {Promise<{pages: number, written: number, isKept: boolean}>}
 * Throws a Problem where a text is not right, or the folder is another's.
 */
export async function buildBook(root, folder, { cache, fresh = false, tell = () => {} }) {
  const record = readRecord(folder);
  const key = hashInputs(root);
  if (!fresh && record?.key === key && record.files.every((file) => existsSync(join(folder, file)))) return { pages: record.files.length, written: 0, isKept: true };

  // A build that ends in the middle leaves the folder marked as the book's, and is done anew.
  const path = join(folder, recordName);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, JSON.stringify({ key: 'begun', files: record?.files ?? [] }));
  const book = new Book(root, cache);
  await book.prepare((done, all) => tell(`colouring the code: ${done} of ${all}`));
  const files = new Map();
  let pages = 0;
  let written = 0;
  const put = (path, content) => {
    if (files.has(path)) throw new Error(`two pages are called ${path}`);
    files.set(path, true);
    written += Number(writeIfChanged(join(folder, path), content));
  };
  for (const { url, text } of book.pages()) {
    put(url, text);
    pages += 1;
    if (pages % 20 === 0) tell(`writing the pages: ${pages}`);
  }
  for (const [place, path] of book.copiedFiles) put(place, readFileSync(join(root, path)));
  tell('the scripts, the stylesheet and the fonts');
  for (const { path, content } of await makeAssets(root, book)) put(path, content);
  put('.nojekyll', ''); // A code host must not build it once more.
  book.highlighter.forgetUnused();
  removeStale(folder, record?.files ?? [], files);
  writeFileSync(path, JSON.stringify({ key, files: [...files.keys()] }));
  return { pages, written, isKept: false };
}

function readRecord(folder) {
  if (!existsSync(folder)) return undefined;
  if (!statSync(folder).isDirectory()) throw new Problem(`${folder} is no folder; name another one`);
  const path = join(folder, recordName);
  if (!existsSync(path)) {
    if (readdirSync(folder).length > 0) throw new Problem(`${folder} has files that are none of the book's; name an empty folder, or one that does not exist yet`);
    return undefined;
  }
  try {
    const record = JSON.parse(readFileSync(path, 'utf8'));
    return Array.isArray(record.files) ? record : undefined;
  } catch {
    return undefined; // torn: all of it is built anew
  }
}

function writeIfChanged(path, content) {
  const bytes = Buffer.from(content);
  if (existsSync(path) && readFileSync(path).equals(bytes)) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return true;
}

function removeStale(folder, before, files) {
  for (const path of before) {
    if (files.has(path)) continue;
    rmSync(join(folder, path), { force: true });
    let parent = dirname(path);
    while (parent !== '.' && existsSync(join(folder, parent)) && readdirSync(join(folder, parent)).length === 0) {
      rmdirSync(join(folder, parent));
      parent = dirname(parent);
    }
  }
}

// By contents: a checkout changes the times of files, and not what is in them.
function hashInputs(root) {
  const hash = createHash('sha256');
  const add = (path) => {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info?.isDirectory()) {
      for (const name of readdirSync(path).sort()) if (!name.startsWith('.') && !foreign.has(name)) add(join(path, name));
    } else if (info?.isFile()) hash.update(relative(root, path)).update('\0').update(readFileSync(path)).update('\0');
  };
  for (const name of inputs) add(join(root, name));
  return hash.digest('hex');
}
