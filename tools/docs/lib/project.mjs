// The tree that the documents speak of: its chapters, documents and source files.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findChapterBefore, isChapterFile, listChapters, withoutDeclarations } from '../../chapters.mjs';
import { findItems, splitLines } from './cpp-ranges.mjs';
import { decodeUtf8, Document } from './markdown.mjs';
import { Problem } from './problem.mjs';

const documentName = /^docs\/((\d\d)-[^/]+)\.md$/;

// Folders that hold what was installed or built.
const foreignFolders = new Set(['node_modules', 'dist', 'build']);

export class Project {
  #sources = new Map();

  constructor(root) {
    this.root = root;
    this.chapters = listChapters(root).map((name) => ({ number: name.slice(0, 2), name, folder: `chapters/${name}` }));
    this.documentPaths = [...this.#entries('.').filter((entry) => entry.name.endsWith('.md')).map((entry) => entry.name), ...this.listFiles('docs', /\.md$/)];
  }

  // Sorted, so that every run says the same in the same order. A folder that is missing is empty.
  #entries(folder) {
    const path = join(this.root, folder);
    if (!existsSync(path)) return [];
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  // Paths from the root of all files below a folder whose path matches; hidden ones are left out.
  listFiles(folder, form = /./) {
    return this.#entries(folder).flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.name.startsWith('.') || foreignFolders.has(entry.name)) return [];
      if (entry.isDirectory()) return this.listFiles(path, form);
      return form.test(path) && !path.endsWith('~') ? [path] : [];
    });
  }

  isFile(path) {
    return statSync(join(this.root, path), { throwIfNoEntry: false })?.isFile() ?? false;
  }

  exists(path) {
    return existsSync(join(this.root, path));
  }

  readText(path) {
    let bytes;
    try {
      bytes = readFileSync(join(this.root, path));
    } catch (error) {
      throw new Problem(`${path} cannot be read (${error.code ?? error.message}); check that it is there and readable`);
    }
    return decodeUtf8(bytes);
  }

  readDocument(path) {
    return new Document(path, this.readText(path));
  }

  // A source file as {path, lines, items}; the items are found when first asked for, because a text
  // anchor does not need them and a file with unbalanced braces has none.
  readSource(path) {
    if (!this.#sources.has(path)) this.#sources.set(path, makeSource(path, this.readCode(path)));
    return this.#sources.get(path);
  }

  // What a chapter declares for its tests is none of its server's code.
  readCode(path) {
    const text = this.readText(path);
    return /^chapters\/[^/]+\/CMakeLists\.txt$/.test(path) ? withoutDeclarations(text) : text;
  }

  // The chapter of docs/NN-name.md: {chapter, previous}; previous is the one from which it goes on, side roads passed over,
  // and undefined for the first one.
  // Undefined for a document that is no chapter's text.
  chapterOf(documentPath) {
    const name = documentName.exec(documentPath)?.[1];
    const chapter = this.chapters.find((other) => other.name === name);
    if (!chapter) return undefined;
    const before = findChapterBefore(this.root, name);
    return { chapter, previous: this.chapters.find((other) => other.name === before) };
  }

  isChapterDocument(path) {
    return documentName.test(path);
  }

  // A chapter's files, as paths from the chapter's folder.
  filesOfChapter(chapter) {
    if (!chapter) return [];
    return this.listFiles(chapter.folder).filter((path) => isChapterFile(basename(path))).map((path) => path.slice(chapter.folder.length + 1));
  }
}

export function makeSource(path, text) {
  let items;
  return {
    path,
    lines: splitLines(text),
    get items() {
      items ??= findItems(text);
      return items;
    },
  };
}
