// Frames as HTML that needs no script: for a page where scripts are off, in print, and for a screen reader.
//
// `v-pre` is for Vue, which would take double braces in code for its own; a page that does not go through Vue leaves it out.

import { describeFrame, describeStart, signOf } from './describe.mjs';
import { expand } from './expand.mjs';
import { alignFrames, nameStep } from './timeline.mjs';

export const escape = (text) => `${text}`.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);

const words = { new: 'new', changed: 'changed', gone: 'gone' };

// The line of code stands in the box above, too: a narrow page leaves this column out.
const classOf = ({ title, isCode }) => (isCode ? ` class="replay-code-cell${title === 'line' ? ' replay-extra' : ''}"` : '');

/** The table of a section of describeFrame(). */
export function renderSection({ title, columns, rows }, { hasHead = true } = {}) {
  const head = columns.map((column) => `<th scope="col"${classOf(column)}>${escape(column.title)}${column.derived ? ' <abbr title="derived; all else was seen">~</abbr>' : ''}</th>`).join('');
  const body = rows.map(({ cells, mark }) => `<tr${mark === '' ? '' : ` class="replay-${mark}"`}><td class="replay-mark">${mark === '' ? '' : `<abbr title="${words[mark]}">${signOf(mark)}</abbr>`}</td>`
    + `${cells.map((cell, at) => `<td${classOf(columns[at])}>${escape(cell)}</td>`).join('')}</tr>`).join('');
  return `<table class="replay-table"><caption>${escape(title)}</caption>${hasHead ? `<thead><tr><td></td>${head}</tr></thead>` : ''}<tbody>${body}</tbody></table>`;
}

/** The code around the line where the actor stands: `around` lines above and below, or the whole function. */
export function renderCode(code, around = 3) {
  if (code === null) return '';
  const at = code.lines.findIndex(({ number }) => number === code.line);
  const lines = code.lines.slice(Math.max(0, at - around), at + around + 1).map(({ number, text, roles }) => {
    const who = roles.length === 0 ? '' : ` <span class="replay-who">&larr; ${escape(roles.join(', '))}</span>`;
    return `<span class="replay-line${number === code.line ? ' replay-here' : ''}"><span class="replay-number">${number}</span>${escape(text)}${who}</span>`;
  });
  return `<pre class="replay-code" tabindex="0"><span class="replay-file">${escape(code.file)}</span>\n${lines.join('\n')}</pre>`;
}

/** What has changed in a section, without the line of code, which stands above; with the names of the columns where there was no such table before. */
function renderChanges({ title, columns, rows }) {
  const isShown = (_, at) => columns[at].title !== 'line';
  const changed = rows.filter(({ mark }) => mark !== '').map((row) => ({ ...row, cells: row.cells.filter(isShown) }));
  return renderSection({ title, columns: columns.filter(isShown), rows: changed }, { hasHead: rows.every(({ mark }) => mark === 'new') });
}

/**
 * The frame `at` of a recording as an element. With `brief` a table that is as in the frame before is named, and not shown again; with `terse`
 * there is, behind the first frame, what has changed, and nothing else.
 */
export function renderFrame(recording, at, { brief = false, terse = false } = {}) {
  const { event, code, sections } = describeFrame(recording, at);
  const isChange = terse && at > 0;
  const isShown = ({ rows }) => !(brief || isChange) || at === 0 || rows.some(({ mark }) => mark !== '');
  const same = isChange ? [] : sections.filter((section) => !isShown(section)).map(({ title }) => title);
  return `<div class="replay-frame" v-pre><p class="replay-event"><strong>${escape(event.actor)}</strong> <code>${escape(event.text)}</code>`
    + `${event.words === '' ? '' : ` <span class="replay-kind">(${escape(event.words)})</span>`}</p>${renderCode(code, terse ? 0 : brief ? 1 : undefined)}${sections.filter(isShown).map((section) => (isChange ? renderChanges(section) : renderSection(section))).join('')}`
    + `${same.length === 0 ? '' : `<p class="replay-legend">as before: ${escape(same.join(', '))}</p>`}</div>`;
}

/** What a reader should know before the frames, as paragraphs: with the chapters' names where there are two. */
export function renderStart(recordings, titles) {
  return recordings.map((recording, side) => {
    const words = describeStart(recording).join(' ');
    return words === '' ? '' : `<p class="replay-start">${recordings.length > 1 ? `${escape(titles[side])}: ` : ''}${escape(words)}</p>`;
  }).join('');
}

/**
 * All moments of one recording or two as a list, with an id `frame-K` each. `titles` are the chapters' names. With `folded` each is
 * a `details` whose summary is the event, with those tables that have changed, and with `terse` with that alone which has.
 */
export function renderFrames(stored, titles, { folded = false, terse = false } = {}) {
  const recordings = stored.map(expand);
  const moments = alignFrames(recordings);
  const note = terse ? '<p class="replay-legend">Behind the first frame there is of each table what has changed; what its columns are, the first frame says that has it.</p>' : '';
  return `${renderStart(recordings, titles)}${note}<ol class="replay-frames" start="0" v-pre>${moments.map((moment, number) => {
    // An address is that of a frame of the later chapter: of the first moment that shows it.
    const frame = moment.at(-1);
    const id = frame === moments[number - 1]?.at(-1) ? '' : ` id="frame-${frame}"`;
    const step = nameStep(recordings, moment);
    const isSame = terse && number > 0 && step === nameStep(recordings, moments[number - 1]);
    const heading = isSame ? '' : `<p class="replay-step">${escape(step)}</p>`;
    const sides = moment.map((at, side) => `<div class="replay-side">${recordings.length > 1 ? `<p class="replay-title">${escape(titles[side])}</p>` : ''}${renderFrame(recordings[side], at, { brief: folded, terse })}</div>`).join('');
    const body = `<div class="replay-sides">${sides}</div>`;
    const { event } = recordings.at(-1).frames[moment.at(-1)];
    return folded
      ? `<li${id}><details><summary>${escape(event.actor)}: ${escape(event.text)}</summary>${heading}${body}</details></li>`
      : `<li${id}>${heading}${body}</li>`;
  }).join('')}</ol>`;
}
