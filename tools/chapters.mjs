// Which folders are chapters, and which of their files belong to them: for the documentation tool and the benchmark.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The names of the chapters below `root`, in their order. A chapter is a folder that declares itself: it is called
 * NN-name, its CMakeLists.txt calls add_chapter, and tests/chapters/NN-name.cpp has its tests. A backup, a note, a
 * reader's own folder beside the chapters is none. (cmake/chapters.cmake and tools/learn/lib.sh hold the same rule.)
 */
export function listChapters(root) {
  const folder = join(root, 'chapters');
  if (!existsSync(folder)) return [];
  const declaresItself = (name) => {
    const file = join(folder, name, 'CMakeLists.txt');
    return /^\d\d-[a-z0-9-]+$/.test(name) && existsSync(join(root, 'tests/chapters', `${name}.cpp`))
      && existsSync(file) && /^add_chapter\(/m.test(readFileSync(file, 'utf8'));
  };
  return readdirSync(folder).filter(declaresItself).sort();
}

const sideRoadForm = /^add_chapter\([^)]*\sSIDE_ROAD[\s)]/m;

/**
 * Whether a chapter is a side road, by its CMakeLists.txt: no later one builds on its code, and the one after it goes on
 * from the one before it. (cmake/chapters.cmake says more.)
 */
export function isSideRoad(root, chapter) {
  return sideRoadForm.test(readFileSync(join(root, 'chapters', chapter, 'CMakeLists.txt'), 'utf8'));
}

/**
 * The chapter from which `chapter` goes on: the one before it, side roads passed over; undefined for the first.
 * (cmake/chapters.cmake and tools/learn/chapters.sh hold the same rule.)
 */
export function findChapterBefore(root, chapter) {
  const chapters = listChapters(root);
  return chapters.slice(0, chapters.indexOf(chapter)).findLast((name) => !isSideRoad(root, name));
}

/** A chapter's name without its number: fork, of 03-fork. What is no chapter's name stays as it is. */
export const withoutNumber = (name) => name.replace(/^\d\d-/, '');

/**
 * The results of a measurement with `change` applied to the name of every server in them. In a file a chapter stands
 * without its number, which is another one as soon as a chapter is put in before it; tools/docs/lib/results.mjs gives
 * it the number of today.
 */
export function renameServers(results, change) {
  const inList = (list, ...keys) => list?.map((entry) => ({ ...entry, ...Object.fromEntries(keys.filter((key) => entry[key]).map((key) => [key, change(entry[key])])) }));
  const renamed = { ...results };
  for (const key of ['against_baseline', 'left_out', 'counted', 'memory', 'idle']) if (results[key]) renamed[key] = inList(results[key], 'server');
  if (results.settings?.baseline) renamed.settings = { ...results.settings, baseline: change(results.settings.baseline) };
  if (results.servers) renamed.servers = inList(results.servers, 'id');
  if (results.knobs) renamed.knobs = inList(results.knobs, 'name', 'against');
  return renamed;
}

/**
 * A chapter's CMakeLists.txt as far as it concerns its server: without the things that begin and end with the chapter,
 * which are for the build and the tests. (tools/learn/chapters.sh has the same in print_build.)
 */
export const withoutDeclarations = (text) => text.replace(/^(add_chapter\([^)]*?)\s+(?:SIDE_ROAD|BEGINS|ENDS)(?:\s[^)]*)?\)/m, '$1)');

/** The sources that a chapter's CMakeLists.txt, whose text this is, names; none where it is no chapter's. */
export function readSources(text) {
  const words = /^add_chapter\(([^)]*)\)/m.exec(withoutDeclarations(text))?.[1].trim().split(/\s+/) ?? [];
  return words.filter((word) => word !== '');
}

/** Whether a file of that name in a chapter's folder can be part of the chapter: an editor's backup or a note is not. */
export const isChapterFile = (name) => name === 'CMakeLists.txt' || /^[\w-]+\.[ch]pp$/.test(name);

/**
 * The files of the chapter that lies in `folder`, by their names there, those in folders of it too: server.cpp,
 * runtime/reactor.hpp. A folder whose name begins with a dot is none of the chapter's. Nothing where there is no folder.
 */
export function listChapterFiles(folder, prefix = '') {
  if (!existsSync(join(folder, prefix))) return [];
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return entry.name.startsWith('.') ? [] : listChapterFiles(folder, `${prefix}${entry.name}/`);
    return isChapterFile(entry.name) && statSync(join(folder, prefix, entry.name)).isFile() ? [prefix + entry.name] : [];
  }).sort();
}
