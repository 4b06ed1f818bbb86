// The pages of recorded executions: each is played by the component tools/replay/player/Replay.vue, which gets the recording.

import { escapeHtml } from '../view/html.mjs';
import { linkBetween } from './site.mjs';

/** The recordings, docs/replay/NAME.json, by name. */
export function listReplays(project) {
  return project.listFiles('docs/replay', /\.json$/).map((path) => {
    const name = path.replace(/^.*\/|\.json$/g, '');
    return { name, path, title: titleOf(project.readText(path), name) };
  });
}

function titleOf(text, name) {
  try {
    const { title } = JSON.parse(text);
    return typeof title === 'string' && title !== '' ? title : name;
  } catch {
    return name;
  }
}

export function renderReplay(book, { name, path, title }) {
  const url = `replay/${name}.html`;
  const data = linkBetween(url, book.addFile(path));
  return {
    url,
    title: `Replay: ${title}`,
    kind: 'replays',
    script: book.hasPlayer ? 'replay' : undefined,
    html: `<h1>Replay: ${escapeHtml(title)}</h1>
<noscript><p class=note>A recording is played in the page, which needs JavaScript. Without it: <a href="${data}">the recording as it is</a>, or <code>./learn replay</code> in a terminal.</p></noscript>
<div id=replay data-recording="${data}">${book.hasPlayer ? '' : `<p>This book was built without its player. <a href="${data}">The recording as it is</a>.</p>`}</div>`,
  };
}

export function renderReplayList(book) {
  return {
    url: 'replay/index.html',
    title: 'Replay',
    kind: 'list',
    html: `<h1>Replay</h1><p>One client's session, recorded on two neighbours, side by side.</p><ul>${book.replays.map(({ name, title }) => `<li><a href="${name}.html">${escapeHtml(title)}</a></li>`).join('')}</ul>`,
  };
}
