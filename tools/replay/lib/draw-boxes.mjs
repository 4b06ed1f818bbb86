// Who sleeps where, and who has what open, as an SVG picture of boxes: of a frame only its processes, threads, descriptors and clients. For the
// head of a text, where the whole frame says too much.

import { calm } from '../player/describe.mjs';
import { escape } from '../player/static.mjs';

const advance = 7.8; // width of a character of 13 px in a monospaced font
const rowHeight = 20;
const padding = 10;
const gap = 18; // between boxes that stand one above the other
const lane = 90; // between the processes and their clients
const margin = 8;
const longestCall = 48; // characters: of a longer one only the name is shown

const widthOf = (texts) => Math.ceil(Math.max(...texts.map((text) => text.length)) * advance + 2 * padding);

/** The picture of the frame `at`, the same for the same recording. */
export function drawBoxes(recording, at) {
  const frame = recording.frames[at];
  const processes = listProcesses(frame);
  const clients = [...new Set(frame.sockets.map(({ client }) => client).filter((client) => client !== null))];
  const width = widthOf(processes.flatMap(({ title, rows }) => [title, ...rows.map(({ text }) => text)]));
  const clientWidth = clients.length === 0 ? 0 : widthOf(clients);
  const ends = new Map(clients.map((client) => [client, []])); // where the lines of a client begin, at the right of a descriptor
  const parts = [];
  let y = margin;
  for (const { title, rows } of processes) {
    const height = (rows.length + 1) * rowHeight + padding;
    parts.push(box(margin, y, width, height, 4), text(margin + padding, y + rowHeight - 4, title, 'font-weight="600"'));
    rows.forEach(({ text: words, client, isFirstDescriptor }, index) => {
      const base = y + (index + 2) * rowHeight - 4;
      if (isFirstDescriptor) parts.push(`<line x1="${margin}" y1="${base - rowHeight + 6}" x2="${margin + width}" y2="${base - rowHeight + 6}" stroke="currentColor" opacity="0.35"/>`);
      parts.push(text(margin + padding, base, words));
      ends.get(client)?.push(base - 4);
    });
    y += height + gap;
  }
  const x = margin + width + lane;
  let free = margin;
  for (const client of clients) {
    const lines = ends.get(client);
    const wanted = lines.length === 0 ? free : lines.reduce((sum, one) => sum + one, 0) / lines.length - rowHeight / 2 - 3;
    const top = Math.max(free, Math.round(wanted));
    lines.forEach((from) => parts.push(`<line x1="${margin + width}" y1="${from}" x2="${x}" y2="${top + rowHeight / 2 + 3}" stroke="currentColor"/>`));
    parts.push(box(x, top, clientWidth, rowHeight + 6, 13), text(x + padding, top + rowHeight - 3, client));
    free = top + rowHeight + gap;
    y = Math.max(y, free + gap);
  }
  parts.push(text(margin, y + 4, `recorded: ${recording.chapter}, ${recording.title}, frame ${at}`, 'opacity="0.65" font-size="11"'));
  const fullWidth = x + clientWidth + margin;
  const height = y + 12;
  const title = `${recording.chapter}, frame ${at}: ${processes.map(({ title: name, rows }) => `${name}: ${rows.map((row) => row.text).join(', ')}`).join('; ')}`;
  const id = `replay-${recording.chapter}-${at}-boxes`;
  return `<svg xmlns="http://www.w3.org/2000/svg" class="${id}" viewBox="0 0 ${fullWidth} ${height}" width="${fullWidth}" height="${height}" role="img" aria-label="${escape(title)}" fill="currentColor" font-family="ui-monospace, monospace" font-size="13">
<title>${escape(title)}</title>
<style>@media (prefers-color-scheme:dark){.${id}{color:#e6edf3}}</style>
${parts.join('\n')}
</svg>
`;
}

/** [{title, rows: [{text, client, isFirstDescriptor}]}]: threads first, then the descriptors that they share. */
function listProcesses({ actors, sockets }) {
  const names = [...new Set(actors.map(({ process: name }) => name))];
  return names.map((name) => {
    const threads = actors.filter((actor) => actor.process === name);
    const waits = threads.map(({ role, state, in: call }) => ({
      text: `${threads.length > 1 ? `${role === name ? 'first thread' : role}: ` : ''}${state}${call === null ? '' : ` in ${shorten(calm(call))}`}`,
    }));
    const descriptors = threads.flatMap((thread) => thread.descriptors ?? []).map(({ number, what }, index) => {
      const client = /^connection with (.*)$/.exec(what)?.[1] ?? null;
      const isOpen = client !== null && sockets.some((socket) => socket.client === client);
      return { text: `${number}: ${what}`, client: isOpen ? client : null, isFirstDescriptor: index === 0 };
    });
    return { title: threads.length > 1 ? `${name}: one process` : name, rows: [...waits, ...descriptors] };
  });
}

const shorten = (call) => (call.length <= longestCall ? call : call.replace(/\(.*$/, '(…)'));
const box = (x, y, width, height, radius) => `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}" fill="currentColor" fill-opacity="0.06" stroke="currentColor"/>`;
const text = (x, y, words, more = '') => `<text x="${x}" y="${y}" xml:space="preserve"${more === '' ? '' : ` ${more}`}>${escape(words)}</text>`;
