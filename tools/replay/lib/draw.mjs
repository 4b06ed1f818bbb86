// A frame as an SVG picture: text as text, in the page's own colour. The pictures of the texts lie beside the recordings: docs/replay/NAME-FRAME.svg,
// and NAME-FRAME-boxes.svg for those of draw-boxes.mjs.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calm, describeFrame, signOf } from '../player/describe.mjs';
import { escape } from '../player/static.mjs';
import { drawBoxes } from './draw-boxes.mjs';
import { folder } from './recording.mjs';

const advance = 7.8; // width of a character of 13 px in a monospaced font
const lineHeight = 19;
const margin = 14;
const codeAround = 2;
const longest = 118; // characters in a line

/** The picture of the frame `at`, the same for the same recording. */
export function drawFrame(recording, at) {
  const { step, event, code, sections } = describeFrame(recording, at);
  const lines = [
    { parts: [{ text: `${recording.chapter}, ${recording.title}, frame ${at}`, weight: 600 }] },
    { parts: [{ text: `step: ${step}`, faint: true }] },
    { parts: [{ text: `${event.actor}  `, weight: 600 }, { text: calm(event.text) }] },
    ...(code === null ? [] : [{ parts: [] }, ...drawCode(code)]),
    ...sections.flatMap((section) => [{ parts: [] }, ...drawSection(section)]),
    { parts: [] },
    { parts: [{ text: '+ new   * changed   - gone   ~ derived, all else was seen', faint: true }] },
  ].map(shorten);
  const width = Math.ceil(Math.max(...lines.map(lengthOf)) * advance + 2 * margin);
  const height = lines.length * lineHeight + 2 * margin;
  const title = `${recording.chapter}, frame ${at}: ${event.actor} ${calm(event.text)}`;
  const id = `replay-${recording.chapter}-${at}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" class="${id}" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}" fill="currentColor" font-family="ui-monospace, monospace" font-size="13">
<title>${escape(title)}</title>
<style>@media (prefers-color-scheme:dark){.${id}{color:#e6edf3}}</style>
${lines.map((line, number) => drawLine(line, number, width)).filter(Boolean).join('\n')}
</svg>
`;
}

function drawCode({ file, line, lines }) {
  const at = lines.findIndex(({ number }) => number === line);
  return [
    { parts: [{ text: file, faint: true }] },
    ...lines.slice(Math.max(0, at - codeAround), at + codeAround + 1).map(({ number, text, roles }) => ({
      band: number === line,
      parts: [{ text: `${number === line ? '>' : ' '}${`${number}`.padStart(4)}  `, faint: true }, { text }, { text: roles.length > 0 ? `   ← ${roles.join(', ')}` : '', weight: 600 }],
    })),
  ];
}

function drawSection({ title, columns, rows }) {
  const heads = columns.map(({ title: text, derived }) => (derived ? `${text}~` : text));
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map(({ cells }) => cells[at].length)));
  const join = (cells) => cells.map((cell, at) => (at === cells.length - 1 ? cell : cell.padEnd(widths[at]))).join('  ').trimEnd();
  return [
    { parts: [{ text: title, weight: 600 }] },
    { parts: [{ text: `  ${join(heads)}`, faint: true }] },
    ...rows.map(({ cells, mark }) => ({ band: mark === 'new' || mark === 'changed', parts: [{ text: `${signOf(mark)} ${join(cells)}`, faint: mark === 'gone', strike: mark === 'gone' }] })),
  ];
}

const lengthOf = ({ parts }) => parts.reduce((sum, { text }) => sum + text.length, 0);

function shorten(line) {
  let room = longest;
  const parts = line.parts.map((part) => {
    const text = part.text.length > room ? `${part.text.slice(0, Math.max(0, room - 1))}…` : part.text;
    room -= Math.min(room, text.length);
    return { ...part, text };
  });
  return { ...line, parts };
}

function drawLine({ parts, band }, number, width) {
  const y = margin + (number + 1) * lineHeight - 5;
  const spans = parts.filter(({ text }) => text !== '').map(({ text, weight, faint, strike }) => `<tspan${weight ? ` font-weight="${weight}"` : ''}${faint ? ' opacity="0.65"' : ''}${strike ? ' text-decoration="line-through"' : ''}>${escape(text)}</tspan>`);
  if (spans.length === 0) return '';
  const behind = band ? `<rect x="${margin / 2}" y="${y - lineHeight + 6}" width="${width - margin}" height="${lineHeight}" opacity="0.1"/>\n` : '';
  return `${behind}<text x="${margin}" y="${y}" xml:space="preserve">${spans.join('')}</text>`;
}

/** The pictures of a chapter's frames beside its recording, by their frames: [{at, isBoxes}], `isBoxes` where the picture is that of draw-boxes.mjs. */
export function listPictures(root, name) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder)).flatMap((file) => {
    const [, of, number, boxes] = /^(.*)-(\d+)(-boxes)?\.svg$/.exec(file) ?? [];
    return of === name ? [{ at: Number(number), isBoxes: boxes !== undefined }] : [];
  }).sort((a, b) => a.at - b.at || Number(a.isBoxes) - Number(b.isBoxes));
}

const fileOf = (name, { at, isBoxes }) => `${folder}/${name}-${at}${isBoxes ? '-boxes' : ''}.svg`;
const drawPicture = (recording, { at, isBoxes }) => (isBoxes ? drawBoxes : drawFrame)(recording, at);

/** Draws a picture, {at, isBoxes}, into its file, and returns the path. */
export function savePicture(root, recording, picture) {
  const path = join(root, fileOf(recording.chapter, picture));
  writeFileSync(path, drawPicture(recording, picture));
  return path;
}

/** What is wrong with the pictures of a recording: [words]. */
export function comparePictures(root, recording) {
  return listPictures(root, recording.chapter).flatMap((picture) => {
    const file = fileOf(recording.chapter, picture);
    if (picture.at >= recording.frames.length) return [`${file} is of a frame that is not there: the last is ${recording.frames.length - 1}`];
    return readFileSync(join(root, file), 'utf8') === drawPicture(recording, picture) ? [] : [`${file} is not what the frame shows`];
  });
}
