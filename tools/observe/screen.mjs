// A picture on the terminal that is drawn over and over, and the keys that end it.

const enter = '\x1b[?1049h\x1b[?25l'; // the alternate screen, without a cursor
const leave = '\x1b[?25h\x1b[?1049l';
const ctrlC = '\x03';

export class Screen {
  #isOpen = true;

  /** Takes over the terminal until the scope ends; q and Ctrl-C finish the scope. */
  constructor(scope) {
    process.stdout.write(enter);
    scope.defer(() => {
      this.#isOpen = false;
      process.stdout.write(leave);
    });
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(true); // Keys come at once, and Ctrl-C as a character.
      process.stdin.setEncoding('utf8').on('data', (keys) => {
        if (/q/i.test(keys) || keys.includes(ctrlC)) scope.finish();
      });
      scope.defer(() => {
        process.stdin.setRawMode(false);
        process.stdin.pause();
      });
    }
  }

  get rows() {
    return process.stdout.rows || 24; // 0 where a terminal does not know
  }

  /** Draws the lines over what stood there, and `footer` below them; of the lines, what does not fit is cut off. */
  draw(lines, footer) {
    if (!this.#isOpen) return;
    const columns = process.stdout.columns || 80;
    const text = fitLines(lines, footer, this.rows).map((line) => `${cutLine(line, columns)}\x1b[K`).join('\r\n');
    process.stdout.write(`\x1b[H${text}\x1b[J`);
  }
}

/** At most `rows` lines, of which the last ones are those of `footer`. */
export function fitLines(lines, footer, rows) {
  const room = Math.max(0, rows - footer.length);
  if (lines.length <= room) return [...lines, ...footer];
  const kept = lines.slice(0, Math.max(0, room - 1));
  return [...kept, `… ${lines.length - kept.length} more lines`, ...footer].slice(-rows);
}

/** At most `width` visible characters: colours (\x1b[...m) take no room, and are kept. */
export function cutLine(line, width) {
  let visible = 0;
  let text = '';
  for (const [part] of line.matchAll(/\x1b\[[0-9;]*m|./gu)) {
    const isColour = part.startsWith('\x1b');
    if (!isColour && visible >= width) continue;
    if (!isColour) visible += 1;
    text += part;
  }
  return text;
}
