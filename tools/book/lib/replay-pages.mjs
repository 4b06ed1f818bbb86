// The pages of recorded executions: each recording beside that of the chapter before, where it is of the same session. They are played by
// the component tools/replay/player/Replay.vue; until its script runs, and without it, the frames stand there as a list.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Problem } from '../../docs/lib/problem.mjs';
import { nameOf } from '../../loop/journal.mjs';
import { escapeHtml } from '../view/html.mjs';
import { linkBetween } from './site.mjs';

/** A list of two recordings is long: one that makes a page heavier than this is shortened, or left out. */
const mostOfList = 185_000; // bytes: with scripts and stylesheet it is below 300 kB

/** The recordings, docs/replay/NAME.json, in the order of their chapters: {name, path, recording, chapter, before}. */
export function listReplays(site) {
  const { project } = site;
  const all = project.listFiles('docs/replay', /\.json$/).map((path) => {
    const recording = parse(project.readText(path), path);
    return { name: path.replace(/^.*\/|\.json$/g, ''), path, recording, chapter: site.chapters.find(({ name }) => nameOf(name) === recording.chapter) };
  });
  const order = ({ chapter, name }) => `${chapter?.number ?? '99'} ${name}`;
  const sorted = all.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  for (const entry of sorted) {
    const previous = entry.chapter && project.chapterOf(entry.chapter.path)?.previous?.name;
    entry.before = sorted.find((other) => other.chapter && other.chapter.name === previous && other.recording.session === entry.recording.session);
  }
  return sorted;
}

function parse(text, path) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem(`${path} is no JSON (${error.message}); record it again`);
  }
}

/** What makes the list of frames, from the player's own code; undefined where there is no player. */
export async function loadStaticPlayer(root) {
  const path = join(root, 'tools/replay/player/static.mjs');
  return existsSync(path) ? (await import(pathToFileURL(path))).renderFrames : undefined;
}

const titleOf = ({ name, recording, chapter }) => `${chapter ? `${chapter.number} ${chapter.title}` : name}${recording.title ? `: ${recording.title}` : ''}`;

export function renderReplay(book, replay) {
  const url = `replay/${replay.name}.html`;
  const sides = [replay.before, replay].filter(Boolean);
  const titles = sides.map(({ name, chapter }) => chapter?.name ?? name);
  const links = sides.map(({ path }) => linkBetween(url, book.addFile(path)));
  const at = book.replays.indexOf(replay);
  const page = (other) => other && { url: `replay/${other.name}.html`, title: titleOf(other) };
  const text = replay.chapter ? `<p class=place><a href="${linkBetween(url, replay.chapter.url)}">the text of chapter ${replay.chapter.number}</a> · <a href="index.html">all recordings</a></p>` : '';
  return {
    url,
    title: `Replay of ${titleOf(replay)}`,
    kind: 'replays',
    near: replay.chapter?.name,
    script: book.hasPlayer ? 'replay' : undefined,
    style: book.hasPlayer ? 'replay' : undefined,
    before: page(book.replays[at - 1]),
    after: page(book.replays[at + 1]),
    html: `${text}<h1>${escapeHtml(titleOf(replay))}</h1>
<noscript><p class=note>A recording is played in the page, which needs JavaScript. Without it: its frames below, as far as they find room, and <a href="${links.at(-1)}">the recording as it is</a>.</p></noscript>
<div id=replay data-recordings="${escapeHtml(links.join(' '))}" data-titles="${escapeHtml(titles.join(' '))}">${renderList(book, sides, titles)}</div>`,
  };
}

function renderList(book, sides, titles) {
  if (!book.renderFrames) return '<p>This book was built without its player.</p>';
  const own = sides.slice(-1);
  for (const [shown, terse] of [[sides, false], [own, false], [own, true]]) {
    const html = book.renderFrames(shown.map(({ recording }) => recording), titles.slice(-shown.length), { folded: true, terse }).replaceAll(' v-pre', '');
    if (html.length <= mostOfList) return `<div class=replay>${html}</div>`;
  }
  return '';
}

export function renderReplayList(book) {
  const items = book.replays.map((replay) => `<li><a href="${replay.name}.html">${escapeHtml(titleOf(replay))}</a>${replay.before ? ` <small>beside ${escapeHtml(titleOf(replay.before).split(':')[0])}</small>` : ''}</li>`);
  return {
    url: 'replay/index.html',
    title: 'Replay',
    kind: 'list',
    html: `<h1>Replay</h1><p>A session of clients, recorded, and played beside that of the chapter before: for each moment where the code stands, what the kernel has, and which packet has passed.</p><ul>${items.join('')}</ul>`,
  };
}
