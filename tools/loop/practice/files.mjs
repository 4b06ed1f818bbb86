// Files of a learner: written whole or not at all, and never over what is there.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { listChapterFiles } from '../../chapters.mjs';
import { Problem } from '../../observe/problem.mjs';
import { describeSystemError } from '../../observe/program.mjs';

/** Runs `work`; an error of the file system becomes a Problem that begins with `what`. */
export function explainErrors(what, work) {
  try {
    return work();
  } catch (error) {
    if (error.syscall === undefined) throw error;
    throw new Problem(`${what}: ${describeSystemError(error)}`);
  }
}

/** The file's text, or null where there is none that can be read. */
export function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Writes a file so that a reader finds the old text or the new one, and never a part. */
export function writeWhole(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  const beside = `${file}.${process.pid}.new`;
  try {
    writeFileSync(beside, text);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/** The texts of the files of a chapter that lie in `folder`, and in folders of it: a Map of name to text. */
export function readSources(folder) {
  return new Map(listChapterFiles(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

export function writeSources(folder, sources) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of sources) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** Gives a folder a name of its own beside it, FOLDER.kept-N, and returns that. */
export function keepFolder(folder) {
  for (let number = 1; ; number += 1) {
    const kept = `${folder}.kept-${number}`;
    if (!existsSync(kept)) {
      renameSync(folder, kept);
      return kept;
    }
  }
}

/** A path as a learner types it, from the project's folder on. */
export const nameOfPath = (root, path) => relative(root, path);
