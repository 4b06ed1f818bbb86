// ./learn practice list: what there is, and how far.

import { listChapters } from '../../chapters.mjs';
import { findState } from './choose.mjs';
import { commandFor, findCurrent } from './copy.mjs';
import { listTasks } from './stock.mjs';

const words = { new: 'not begun', begun: 'begun', found: 'found', done: 'done', 'given-up': 'given up' };

export function listAll({ root, progress, talk }) {
  for (const chapter of listChapters(root)) {
    const tasks = listTasks(root, chapter);
    if (tasks.length > 0) talk.show(`${chapter.padEnd(20)}  ${describeKinds(tasks, progress)}`);
  }
  const current = findCurrent(root);
  if (current) talk.show(`current: ${commandFor(current.task)}, in ${current.pathOf()}/`);
  talk.show('what a chapter has: ./learn practice list 3');
}

function describeKinds(tasks, progress) {
  return ['bug', 'exercise'].flatMap((kind) => {
    const states = tasks.filter((task) => task.kind === kind).map((task) => findState(progress, task));
    if (states.length === 0) return [];
    const finished = states.filter(({ state }) => state === 'found' || state === 'done').length;
    const givenUp = states.filter(({ state }) => state === 'given-up').length;
    const due = states.filter(({ dueAt }) => dueAt <= Date.now()).length;
    return `${kind}s: ${finished} of ${states.length} ${kind === 'bug' ? 'found' : 'done'}`
      + `${givenUp > 0 ? `, ${givenUp} given up` : ''}${due > 0 ? `, ${due} due` : ''}`;
  }).join('; ');
}

export function listOne({ root, progress, talk }, chapter) {
  const tasks = listTasks(root, chapter);
  if (tasks.length === 0) talk.say(`${chapter} has nothing to practise yet`);
  for (const task of tasks) {
    const { state, hints, dueAt } = findState(progress, task);
    const after = hints > 0 && state !== 'given-up' ? ` after ${hints} hint${hints > 1 ? 's' : ''}` : '';
    talk.say(`- ${task.title}, ${words[state]}${after}${dueAt <= Date.now() ? ', due' : ''}: ${task.words}`);
  }
  if (tasks.length > 0) talk.show(`to begin with one: ${commandFor(tasks.at(-1))}`);
}
