// The stock of what can be practised: planted bugs (tests/bugs) and exercises that a test can check (tests/exercises).

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem, UsageProblem } from '../../observe/problem.mjs';
import { findNearest } from '../words.mjs';
import { hashOfPatch, parsePatch } from './patch.mjs';

/** A title in the form in which it is typed and names a folder: say-goodbye, of "Say goodbye." */
export const slugOf = (title) => title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');

const byNumber = (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1);

function readTask(root, chapter, kind, file) {
  const text = readFileSync(join(root, file), 'utf8');
  const patch = parsePatch(text, file);
  const demand = (header) => {
    if (!patch.headers.has(header)) throw new Problem(`${file} has no line "${header}: ..."`);
    return patch.headers.get(header);
  };
  const common = { kind, chapter, file, patch, text, hash: hashOfPatch(patch), hint: demand('Hint') };
  if (kind === 'bug') {
    const id = file.replace(/^.*\/|\.patch$/g, '');
    return { ...common, id, title: `bug ${id}`, words: demand('Symptom'), test: demand('Found by'), success: 'found' };
  }
  const title = demand('Exercise').replace(/\.$/, '');
  return { ...common, id: slugOf(title), title: `exercise "${title}"`, words: demand('Task'), test: demand('Shown by'), success: 'done' };
}

function listFiles(root, chapter, kind) {
  const folder = `tests/${kind}s/${chapter}`;
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder)).filter((name) => name.endsWith('.patch')).sort(byNumber)
    .map((name) => ({ kind, file: `${folder}/${name}` }));
}

/**
 * What a chapter has, its bugs first. A task is {kind: 'bug' | 'exercise', chapter, id, title, words: the symptom or the
 * task, hint, test: the name of the test that decides, hash, success: the journal's word for it, file, text, patch}.
 */
export function listTasks(root, chapter) {
  return ['bug', 'exercise'].flatMap((kind) => listFiles(root, chapter, kind)).map(({ kind, file }) => readTask(root, chapter, kind, file));
}

/** As listTasks(), without those that cannot be read: one damaged patch hides none of the others. */
export function listReadableTasks(root, chapter) {
  return ['bug', 'exercise'].flatMap((kind) => listFiles(root, chapter, kind)).flatMap(({ kind, file }) => {
    try {
      return [readTask(root, chapter, kind, file)];
    } catch (error) {
      if (!(error instanceof Problem) && error.code === undefined) throw error; // neither what is in it, nor the file
      return [];
    }
  });
}

/** The task that is meant by a bug's number, an exercise's title, or a beginning of that. Throws UsageProblem. */
export function findTask(root, chapter, word) {
  const tasks = listTasks(root, chapter);
  const wanted = /^\d+$/.test(word) ? String(Number(word)) : slugOf(word);
  const exact = tasks.find(({ id }) => id === wanted);
  if (exact) return exact;
  const exercises = tasks.filter(({ kind }) => kind === 'exercise');
  const begun = wanted === '' ? [] : exercises.filter(({ id }) => id.startsWith(wanted));
  if (begun.length === 1) return begun[0];
  if (begun.length > 1) throw new UsageProblem(`'${word}' could be any of ${begun.map(({ id }) => id).join(' ')}`);
  const nearest = findNearest(wanted, exercises.map(({ id }) => id));
  throw new UsageProblem(`${chapter} has no ${/^\d+$/.test(word) ? 'bug' : 'bug or exercise'} '${word}'`
    + `${nearest ? `; did you mean ${nearest}?` : ''} (${describeStock(tasks)})`);
}

/** "its bugs are 1 to 6; its exercises: say-goodbye" */
export function describeStock(tasks) {
  const bugs = tasks.filter(({ kind }) => kind === 'bug').map(({ id }) => id);
  const exercises = tasks.filter(({ kind }) => kind === 'exercise').map(({ id }) => id);
  const parts = [];
  if (bugs.length > 0) parts.push(bugs.length > 1 ? `its bugs are ${bugs[0]} to ${bugs.at(-1)}` : `its only bug is ${bugs[0]}`);
  if (exercises.length > 0) parts.push(`its exercises: ${exercises.join(', ')}`);
  return parts.join('; ') || 'there is nothing to practise in it';
}
