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

  /** Draws the lines over what stood there; what does not fit is cut off. */
  draw(lines) {
    if (!this.#isOpen) return;
    const columns = process.stdout.columns || 80; // 0 where a terminal does not know
    const rows = process.stdout.rows || 24;
    const fitting = lines.length > rows ? [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`] : lines;
    process.stdout.write(`\x1b[H${fitting.map((line) => `${cutLine(line, columns)}\x1b[K`).join('\r\n')}\x1b[J`);
  }
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
