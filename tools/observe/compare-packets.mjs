// The packets of two servers beside each other: what is the same, and what is not.

import { makePainter } from './colour.mjs';
import { firstStates, isSure } from './record-packets.mjs';
import { packetWidth, plainLegend, renderPacket, stateWidth } from './render-packets.mjs';

/**
 * The comparison as text. `first` and `second` are {name, steps}. Packets that are no more sure than the load of the
 * machine are left out, as in the plain form of a capture.
 */
export function renderComparison(first, second, title, { plain = false } = {}) {
  const paint = makePainter({ plain });
  const [one, two] = [first, second].map(({ steps }) => renderSteps(steps));
  const titles = one.map((step) => step.title);
  const changes = titles.map((name, index) => diff(one[index].rows, two[index]?.rows ?? []));
  const isSame = one.length === two.length && changes.every((lines) => lines.every(([sign]) => sign === ' '));
  const width = `  ${' '.repeat(packetWidth)}`;
  return [
    paint('bold', title),
    paint('faint', plainLegend),
    ...(isSame ? [] : [paint('faint', `a line with - is a packet of ${first.name} alone, one with + of ${second.name} alone`)]),
    '',
    `${width}${paint('cyan', 'client'.padEnd(stateWidth))}${paint('green', 'server')}`,
    `${width}${firstStates.client.padEnd(stateWidth)}${firstStates.server}`,
    '',
    ...titles.map((name, index) => [
      paint('bold', name),
      ...(changes[index].length > 0 ? changes[index].map((line) => paintLine(paint, line)) : [paint('faint', '  no packet')]),
      '',
    ].join('\n')),
    describeVerdict(isSame, first.name, second.name, changes),
    '',
  ].join('\n');
}

function describeVerdict(isSame, first, second, changes) {
  if (isSame) return `${first} and ${second}: the same packets in the same order`;
  const count = (sign) => changes.flat().filter(([other]) => other === sign).length;
  return `${first} and ${second}: packets that are the same: ${count(' ')}; of ${first} alone: ${count('-')}; of ${second} alone: ${count('+')}`;
}

const paintLine = (paint, [sign, row]) => {
  const line = `${sign} ${row}`.trimEnd();
  return sign === ' ' ? line : paint(sign === '-' ? 'red' : 'green', line);
};

/** Each step's packets as rows, without numbers: one packet more would change all that follow. */
function renderSteps(steps) {
  const plainly = (_, text) => text;
  let before = firstStates;
  return steps.map(({ title, packets }) => ({
    title,
    rows: packets.filter(isSure).map((packet) => {
      const row = renderPacket(packet, { number: '', before, paint: plainly });
      before = packet.states;
      return row;
    }),
  }));
}

/** [[' ', '-' or '+', row]...]: the shortest way from one list to the other, by their longest common part. */
export function diff(one, two) {
  const common = Array.from({ length: one.length + 1 }, () => new Array(two.length + 1).fill(0));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = two.length - 1; j >= 0; j -= 1) {
      common[i][j] = one[i] === two[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < two.length) {
    if (i < one.length && j < two.length && one[i] === two[j]) {
      lines.push([' ', one[i]]);
      [i, j] = [i + 1, j + 1];
    } else if (i < one.length && (j === two.length || common[i + 1][j] >= common[i][j + 1])) {
      lines.push(['-', one[i]]);
      i += 1;
    } else {
      lines.push(['+', two[j]]);
      j += 1;
    }
  }
  return lines;
}
