// Which folders are chapters, and which of their files belong to them: for the documentation tool and the benchmark.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

/**
 * A chapter's CMakeLists.txt as far as it concerns its server: without the things that begin and end with the chapter,
 * which are for the build and the tests. (tools/learn/chapters.sh has the same in print_build.)
 */
export const withoutDeclarations = (text) => text.replace(/^(add_chapter\([^)]*?)\s+(?:BEGINS|ENDS)\s[^)]*\)/m, '$1)');

/** Whether a file of that name in a chapter's folder can be part of the chapter: an editor's backup or a note is not. */
export const isChapterFile = (name) => name === 'CMakeLists.txt' || /^[\w-]+\.[ch]pp$/.test(name);
