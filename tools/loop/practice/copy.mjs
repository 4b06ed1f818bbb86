// The learner's copies, in practice/: making them, finding them again, keeping what was there.
//
//   practice/03-fork-1/            the chapter's files, with the bug: the learner's
//     notes.md                     guesses and reasons, in the learner's words
//     .practice/record.json        which task it is, and how far
//     .practice/given/             the files as they were given
//     .practice/original/          the chapter's files as they were then
//     .practice/bare/              the same without the comments that the copy has not: for ./learn diff --practice
//     .practice/task.patch         the patch as it was then
//     .build/                      the executable
//   practice/.current              the name of the copy that guess, hint, check and the like are about

import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listChapters } from '../../chapters.mjs';
import { Problem } from '../../observe/problem.mjs';
import { nameOf } from '../progress.mjs';
import { takeCommentsOut } from './comments.mjs';
import { explainErrors, keepFolder, nameOfPath, readSources, readText, writeSources, writeWhole } from './files.mjs';
import { applyHunks, parsePatch } from './patch.mjs';
import { listReadableTasks } from './stock.mjs';

const cannotWrite = 'cannot write your copy';

/**
 * The files that a learner gets for a task: the chapter's; for a bug with the patch on them and without the comments
 * that would tell. Returns {files: Map, applied: Map of name to what applyHunks says and the `lines` that are left}.
 * Throws Problem where the patch does not fit.
 */
export function makeFiles(task, original) {
  const files = new Map(original);
  const applied = new Map();
  if (task.kind === 'exercise') return { files, applied };
  for (const { path, isNew, hunks } of task.patch.files) {
    const result = isNew || original.has(path) ? applyHunks(original.get(path) ?? '', hunks) : null;
    if (result === null) {
      throw new Problem(`${task.file} does not fit chapters/${task.chapter}/${path}, which has been changed: `
        + `git diff chapters/${task.chapter} shows how, and git stash puts your changes aside`);
    }
    files.set(path, result.text);
    applied.set(path, result);
  }
  for (const [name, text] of files) {
    if (name === 'CMakeLists.txt') continue;
    const { text: bare, lines } = takeCommentsOut(text, applied.get(name)?.hunkLines);
    files.set(name, bare);
    if (applied.has(name)) applied.get(name).lines = lines;
  }
  return { files, applied };
}

/** The chapter's files with as few comments as the learner's copy has. */
function makeBareFiles(task, original) {
  if (task.kind === 'exercise') return original;
  return new Map([...original].map(([name, text]) => [name, name === 'CMakeLists.txt' ? text : takeCommentsOut(text).text]));
}

export class Copy {
  constructor(root, folder, task, record) {
    this.root = root;
    this.folder = folder;
    this.task = task; // as it was when the copy was made
    this.record = record;
  }

  get name() {
    return basename(this.folder);
  }

  /** practice/03-fork-1/server.cpp, or another path in it. */
  pathOf(name = '') {
    return nameOfPath(this.root, join(this.folder, name));
  }

  get given() {
    return readSources(join(this.folder, '.practice/given'));
  }

  get original() {
    return readSources(join(this.folder, '.practice/original'));
  }

  get now() {
    return readSources(this.folder);
  }

  get isFinished() {
    return this.record.result !== 'begun';
  }

  /** The names of the files that the learner has changed, made or taken away. */
  get changedFiles() {
    const [given, now] = [this.given, this.now];
    return [...new Set([...given.keys(), ...now.keys()])].filter((name) => given.get(name) !== now.get(name));
  }

  /** The sources, in the order in which one reads them. */
  get sourceNames() {
    return [...this.now.keys()].filter((name) => name !== 'CMakeLists.txt').sort((a, b) => Number(b === 'server.cpp') - Number(a === 'server.cpp'));
  }

  update(changes) {
    Object.assign(this.record, changes);
    explainErrors('cannot write down how far you are', () => writeRecord(this.folder, this.record));
  }

  note(words) {
    explainErrors('cannot write your notes', () => {
      const file = join(this.folder, 'notes.md');
      const head = existsSync(file) ? '' : `# ${this.task.chapter}, ${this.task.title}\n\n${this.task.words}\n\n`;
      appendFileSync(file, `${head}- ${words}\n`);
    });
  }

  /** What has become of the chapter and the patch since: 'chapter', 'patch', or null. */
  findWhatChanged() {
    const today = listReadableTasks(this.root, this.task.chapter).find(({ kind, id }) => kind === this.task.kind && id === this.task.id);
    if (today?.hash !== this.task.hash) return 'patch';
    const chapter = readSources(join(this.root, 'chapters', this.task.chapter));
    const original = this.original;
    const isSame = chapter.size === original.size && [...chapter].every(([name, text]) => original.get(name) === text);
    return isSame ? null : 'chapter';
  }
}

function writeRecord(folder, record) {
  writeWhole(join(folder, '.practice/record.json'), `${JSON.stringify(record, null, 2)}\n`);
}

const folderOf = (root, task) => join(root, 'practice', `${task.chapter}-${task.id}`);

/** The copy of a task that is there already, or null. A chapter's number may have been another when it was made. */
export function findCopy(root, task) {
  return listCopies(root).find((copy) => copy.task.kind === task.kind && copy.task.id === task.id && copy.task.chapter === task.chapter) ?? null;
}

/** All copies whose record can be read or made out; those that were kept aside are none. */
export function listCopies(root) {
  const folder = join(root, 'practice');
  const names = existsSync(folder) ? explainErrors('cannot read practice/', () => readdirSync(folder)) : [];
  return names.filter((name) => /^\d\d-[a-z0-9-]+$/.test(name)).sort().map((name) => openCopy(root, name)).filter(Boolean);
}

/** The copy in a folder of practice/, or null where that is none. */
export function openCopy(root, name) {
  const folder = join(root, 'practice', name);
  const record = readRecord(folder) ?? mendRecord(root, folder);
  const task = record && findTaskOf(root, folder, record);
  return task ? new Copy(root, folder, task, record) : null;
}

// A record that is torn, as when a disk was full: the folder's name says what it was about.
function mendRecord(root, folder) {
  if (!existsSync(join(folder, '.practice/given'))) return null;
  const name = basename(folder);
  const chapter = listChapters(root).find((known) => name.startsWith(`${known}-`));
  const id = name.slice(chapter?.length + 1);
  const task = chapter && listReadableTasks(root, chapter).find((known) => known.id === id);
  return task ? { chapter: nameOf(chapter), kind: task.kind, id, hash: task.hash, hints: 0, result: 'begun', isMended: true } : null;
}

function readRecord(folder) {
  try {
    const record = JSON.parse(readText(join(folder, '.practice/record.json')));
    const isRight = ['chapter', 'id', 'hash', 'result'].every((field) => typeof record[field] === 'string')
      && ['bug', 'exercise'].includes(record.kind) && Number.isInteger(record.hints);
    return isRight ? record : null;
  } catch {
    return null;
  }
}

// The chapter is found by its name; the patch is the one of that day, which lies in the copy.
function findTaskOf(root, folder, record) {
  const chapter = listChapters(root).find((name) => nameOf(name) === record.chapter);
  if (chapter === undefined) return null;
  const today = listReadableTasks(root, chapter).find(({ kind, id }) => kind === record.kind && id === record.id);
  const text = readText(join(folder, '.practice/task.patch'));
  if (today && (text === null || today.text === text)) return today;
  if (text === null) return null;
  const patch = parsePatch(text, nameOfPath(root, join(folder, '.practice/task.patch')));
  const header = (...names) => names.map((name) => patch.headers.get(name)).find(Boolean) ?? '';
  return {
    kind: record.kind,
    chapter,
    id: record.id,
    title: today?.title ?? `${record.kind} ${record.id}`,
    file: nameOfPath(root, join(folder, '.practice/task.patch')),
    text,
    patch,
    hash: record.hash,
    words: header('Symptom', 'Task'),
    hint: header('Hint'),
    test: header('Found by', 'Shown by'),
    success: record.kind === 'bug' ? 'found' : 'done',
  };
}

/** The copy of a task, made where there is none. Returns {copy, isNew, kept: see renewCopy}. */
export function makeCopy(root, task) {
  const there = findCopy(root, task);
  return there ? { copy: there, isNew: false, kept: null } : { ...renewCopy(root, task), isNew: true };
}

/**
 * Makes a copy as it is given. What stands in its place, `old` or a folder that is no copy, is kept beside it. Returns
 * {copy, kept: where that is now, or null}. The new one is made beside its place and then moved there, so that nothing
 * is put aside for one that cannot be made, and a half-made one is never found.
 */
export function renewCopy(root, task, old = null) {
  const original = readSources(join(root, 'chapters', task.chapter));
  const { files } = makeFiles(task, original);
  const folder = folderOf(root, task);
  const record = { chapter: nameOf(task.chapter), kind: task.kind, id: task.id, hash: task.hash, made: new Date().toISOString(), hints: 0, result: 'begun' };
  return explainErrors(cannotWrite, () => {
    mkdirSync(join(root, 'practice'), { recursive: true });
    const beside = join(root, `practice/.new-${process.pid}`);
    mkdirSync(beside);
    let kept = null;
    try {
      writeSources(beside, files);
      writeSources(join(beside, '.practice/given'), files);
      writeSources(join(beside, '.practice/original'), original);
      writeSources(join(beside, '.practice/bare'), makeBareFiles(task, original));
      writeFileSync(join(beside, '.practice/task.patch'), task.text);
      writeRecord(beside, record);
      for (const inTheWay of [old?.folder, folder]) {
        if (inTheWay && existsSync(inTheWay)) kept = nameOfPath(root, keepFolder(inTheWay));
      }
      renameSync(beside, folder);
    } finally {
      rmSync(beside, { recursive: true, force: true });
    }
    return { copy: new Copy(root, folder, task, record), kept };
  });
}

/** The copy that commands are about when they name none, or null. */
export function findCurrent(root) {
  const name = readText(join(root, 'practice/.current'))?.trim() ?? '';
  return /^\d\d-[a-z0-9-]+$/.test(name) ? openCopy(root, name) : null;
}

export function setCurrent(copy) {
  explainErrors('cannot note which copy you are at', () => writeWhole(join(copy.root, 'practice/.current'), `${copy.name}\n`));
}

export function demandCurrent(root) {
  const current = findCurrent(root);
  if (current) return current;
  const copies = listCopies(root);
  const advice = copies.length > 0
    ? `there are copies in practice/; go on with one by its chapter and number: ${copies.slice(0, 3).map(({ task }) => commandFor(task)).join(', ')}`
    : 'begin with a chapter: ./learn practice 3';
  throw new Problem(`no bug or exercise is begun: ${advice}`);
}

/** The command that begins a task, or goes on with it. */
export const commandFor = ({ chapter, id }) => `./learn practice ${Number(chapter.slice(0, 2))} ${id}`;
