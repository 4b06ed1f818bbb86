// Which bug comes next.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listChapters } from '../../chapters.mjs';
import { listReadableTasks, listTasks } from './stock.mjs';

/**
 * How far a task is, by the journal: {state: 'new' | 'begun' | 'found' | 'done' | 'given-up', hints, dueAt}. A bug whose
 * patch has changed since is another one, and new. `dueAt` in ms since 1970, Infinity where it has not been finished.
 */
export function findState(progress, { chapter, kind, id, hash }) {
  const entries = progress.find({ chapter, kind, id }).filter((entry) => entry.hash === hash);
  const last = entries.findLast(({ result }) => result !== 'begun');
  if (last === undefined) return { state: entries.length > 0 ? 'begun' : 'new', hints: 0, dueAt: Infinity };
  return { state: last.result, hints: last.number, dueAt: progress.dueAt({ chapter, kind, id, hash }) };
}

const isOpen = ({ state }) => state === 'new' || state === 'begun';

/** The next bug of a chapter: the first that has not been finished, then one that is due; null where there is none. */
export function chooseNext(root, progress, chapter, now = Date.now()) {
  const bugs = listTasks(root, chapter).filter(({ kind }) => kind === 'bug').map((task) => ({ task, ...findState(progress, task) }));
  return (bugs.find(isOpen) ?? findDue(bugs, now))?.task ?? null;
}

const findDue = (candidates, now) => candidates.filter(({ dueAt }) => dueAt <= now).sort((a, b) => a.dueAt - b.dueAt)[0];

/** A chapter is done when its tests have passed, by the journal or by the last ./learn test. */
export function listDoneChapters(root, progress) {
  return listChapters(root).filter((chapter) => {
    const last = progress.find({ chapter, kind: 'test' }).at(-1);
    return last ? last.result === 'passed' : hasPassed(join(root, 'build/.learn', chapter));
  });
}

// The file has three numbers: passed, failed, skipped (tools/learn/test.sh).
function hasPassed(file) {
  if (!existsSync(file)) return false;
  const [passed, failed] = readFileSync(file, 'utf8').trim().split(/\s+/).map(Number);
  return passed > 0 && failed === 0;
}

/** What is due of a chapter: bugs and exercises of the stock, as they are today. What the journal alone knows cannot be given. */
export function listDueTasks(root, progress, chapter, now = Date.now()) {
  return listReadableTasks(root, chapter).map((task) => ({ task, ...findState(progress, task) })).filter(({ dueAt }) => dueAt <= now);
}

/**
 * The bug or exercise that has been due for longest, of any chapter; or any bug of the chapters `done` that is not finished.
 * Null: there is none.
 */
export function chooseMixed(root, progress, done, now = Date.now(), random = Math.random) {
  const due = findDue(listChapters(root).flatMap((chapter) => listDueTasks(root, progress, chapter, now)), now);
  if (due) return due.task;
  const open = done.flatMap((chapter) => listReadableTasks(root, chapter)).filter((task) => task.kind === 'bug' && isOpen(findState(progress, task)));
  return open[Math.floor(random() * open.length)] ?? null;
}
