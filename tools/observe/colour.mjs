// Colours on a terminal, and only there.

const codes = { bold: '1', faint: '2', red: '31', green: '32', yellow: '33', blue: '34', magenta: '35', cyan: '36' };
const others = ['green', 'yellow', 'magenta', 'blue'];

/** Whether what is written there can be coloured and drawn over: a terminal that says what it is, and is not a dumb one. */
export function isCapable(stream = process.stdout, environment = process.env) {
  return Boolean(stream.isTTY) && !['', 'dumb'].includes(environment.TERM ?? '');
}

/** A function (style, text) that colours the text, or leaves it alone where colours are not wanted. */
export function makePainter({ plain = false, stream = process.stdout, environment = process.env } = {}) {
  const wanted = !plain && !environment.NO_COLOR && isCapable(stream, environment); // https://no-color.org
  return wanted ? (style, text) => `\x1b[${codes[style]}m${text}\x1b[m` : (_, text) => text;
}

/** The style of a role: the server has its own, the others take turns. */
export function styleOfRole(role) {
  const number = /\d+$/.exec(role)?.[0];
  return number === undefined ? 'cyan' : others[(Number(number) - 1) % others.length];
}
