// How a prediction is called in the journal: by the command that asks it, and by its question.

import { findChapterBefore, listChapters } from '../../chapters.mjs';
import { nameOf } from '../progress.mjs';

/**
 * VIEW/SESSION/NEIGHBOUR/QUESTION, as packets/reset/robust/0123456789ab; '-' where there is no neighbour. `place` is {view,
 * session, other}: the name of a viewpoint (record.mjs) and of a session, and the chapter that the questions are beside.
 */
export const idOf = ({ view, session, other }, question) => [view, session, other ? nameOf(other) : '-', question.id].join('/');

const idForm = /^(trace|packets)\/([a-z]+)\/([a-z0-9-]+)\/[^/]+$/;

/**
 * The entries about a question in its present form, the last one at the end, and when it is due: {entries, due}. Lines of
 * earlier versions have the question alone as their id: they count until it has been asked anew.
 */
export function findAnswers(progress, chapter, place, { hash, ...question }) {
  const ids = [idOf(place, question), question.id];
  const entriesOf = (id) => progress.find({ chapter, kind: 'predict', id }).filter((entry) => entry.hash === hash);
  const id = ids.find((one) => entriesOf(one).length > 0);
  return id === undefined ? { entries: [], due: Infinity } : { entries: entriesOf(id), due: progress.dueAt({ chapter, kind: 'predict', id, hash }) };
}

/**
 * What is due of a chapter, by the command that asks it: [{view, session, other, command, count}]. Left out is what no
 * command can be named for: lines of earlier versions, and those beside a chapter that is no more.
 */
export function listDuePredictions(root, progress, chapter, now = Date.now()) {
  const chapters = listChapters(root);
  const groups = new Map();
  for (const { id, hash } of new Map(progress.find({ chapter, kind: 'predict' }).map((entry) => [entry.id, entry])).values()) {
    const [, view, session, neighbour] = idForm.exec(id) ?? [];
    const other = chapters.find((name) => nameOf(name) === neighbour);
    if (view === undefined || (other === undefined && neighbour !== '-') || progress.dueAt({ chapter, kind: 'predict', id, hash }) > now) continue;
    const command = commandOf(root, chapter, { view, session, other });
    if (!groups.has(command)) groups.set(command, { view, session, other, command, count: 0 });
    groups.get(command).count += 1;
  }
  return [...groups.values()].sort((a, b) => a.command.length - b.command.length || (a.command < b.command ? -1 : 1)); // the plainest first
}

const numberOf = (chapter) => Number(chapter.slice(0, 2));

function commandOf(root, chapter, { view, session, other }) {
  const isBefore = other === findChapterBefore(root, chapter);
  return ['./learn predict', numberOf(chapter), ...(isBefore || !other ? [] : ['--against', numberOf(other)]), ...(view === 'packets' ? ['--packets'] : []),
    ...(session === 'one' ? [] : ['--session', session])].join(' ');
}
