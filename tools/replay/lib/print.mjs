// Prints a frame for a terminal.

import { cutLine } from '../../observe/screen.mjs';
import { describeFrame, describeStart, signOf } from '../player/describe.mjs';

const codeAround = 3; // lines of code above and below the one where the actor stands
const styles = { new: 'green', changed: 'yellow', gone: 'faint' };
const between = '  │  ';

/** The lines of the frame `at`, none longer than `width`. `heading` stands above; `paint(style, text)` colours. */
export function printFrame(recording, at, { heading, width = 100, paint }) {
  const { step, event, code, sections } = describeFrame(recording, at);
  const lines = [
    paint('bold', heading),
    ...describeStart(recording).map((words) => paint('faint', words)),
    paint('faint', `step: ${step}`),
    `${paint('cyan', event.actor)}  ${event.text}${paint('faint', event.words === '' ? '' : `   (${event.words})`)}`,
    ...(code === null ? [] : ['', ...printCode(code, paint)]),
    ...sections.flatMap((section) => ['', ...printSection(section, paint)]),
  ];
  return lines.map((line) => cut(line, width));
}

// A line that is cut in a colour must not go on in it.
const cut = (line, width) => (line.includes('\x1b') ? `${cutLine(line, width)}\x1b[m` : cutLine(line, width));

function printCode({ file, line, lines }, paint) {
  const at = lines.findIndex(({ number }) => number === line);
  const shown = lines.slice(Math.max(0, at - codeAround), at + codeAround + 1);
  return [paint('faint', file), ...shown.map(({ number, text, roles }) => {
    const isHere = number === line;
    const who = roles.length === 0 ? '' : paint('cyan', `   <- ${roles.join(', ')}`);
    return `${isHere ? '>' : ' '} ${`${number}`.padStart(4)}  ${isHere ? paint('bold', text) : text}${who}`;
  })];
}

function printSection({ title, columns, rows }, paint) {
  const widths = columns.map((_, at) => Math.max(...rows.map(({ cells }) => cells[at].length), nameColumn(columns[at]).length));
  const row = (cells) => cells.map((cell, at) => (at === cells.length - 1 ? cell : cell.padEnd(widths[at]))).join('  ').trimEnd();
  return [
    paint('bold', title),
    paint('faint', `  ${row(columns.map(nameColumn))}`),
    ...rows.map(({ cells, mark }) => (mark === '' ? `  ${row(cells)}` : paint(styles[mark], `${signOf(mark)} ${row(cells)}`))),
  ];
}

const nameColumn = ({ title, derived }) => (derived ? `${title}~` : title);

/** What the signs mean, in a line. */
export const legend = '+ new   * changed   - gone   ~ derived, all else was seen';

/** Two lists of lines side by side, each `width` wide. */
export function putBeside(left, right, width) {
  const visible = (line) => line.replace(/\x1b\[[0-9;]*m/g, '').length;
  return Array.from({ length: Math.max(left.length, right.length) }, (_, at) => {
    const text = left[at] ?? '';
    return `${text}${' '.repeat(Math.max(0, width - visible(text)))}${between}${right[at] ?? ''}`;
  });
}

export const gap = between.length;
