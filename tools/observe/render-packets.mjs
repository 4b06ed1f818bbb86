// Packets as text.

import { makePainter } from './colour.mjs';
import { firstStates, isSure } from './record-packets.mjs';

/** The packets of a session, as text: `steps` and `verdict` as recordPackets() returns them. */
export function renderCapture(steps, verdict, title, plain) {
  const paint = makePainter({ plain });
  const isShown = (packet) => !plain || isSure(packet);
  let number = 0;
  let states = firstStates;
  const blocks = steps.map(({ title, packets }) => {
    const rows = packets.filter(isShown).map((packet) => {
      const row = renderPacket(packet, { number: (number += 1), before: states, paint });
      states = packet.states;
      return row;
    });
    return [paint('bold', title), ...(rows.length > 0 ? rows : [paint('faint', '  no packet')]), ''].join('\n');
  });
  return [
    paint('bold', title),
    paint('faint', plain ? plainLegend : fullLegend),
    '',
    `${' '.repeat(packetWidth)}${paint('cyan', 'client'.padEnd(stateWidth))}${paint('green', 'server')}`,
    `${' '.repeat(packetWidth)}${firstStates.client.padEnd(stateWidth)}${firstStates.server}`,
    '',
    ...blocks,
    verdict,
    '',
  ].join('\n');
}

export const packetWidth = 66;
export const stateWidth = 15;

const fullLegend = 'seq and ack count bytes; SYN and FIN count as one each; on the right are the states to which a packet leads';
export const plainLegend = `${fullLegend}
left out: packets that only acknowledge, between handshake and close; the kernel sends one, or lets the next
packet carry the acknowledgement, as the moment demands (for the client's FIN: FIN_WAIT_2 lies between, or not)`;

/** A packet in a line: who sends it to whom, its flags and numbers, and the states to which it leads. */
export function renderPacket({ from, to, flags, seq, ack, length, payload, kind, states }, { number, before, paint }) {
  const words = [
    `seq ${seq}`,
    ...(ack === null ? [] : [`ack ${ack}`]),
    ...(length > 0 ? [`${length} bytes ${describeText(payload)}`] : []),
    ...(kind === 'again' ? ['(again)'] : []),
  ].join(', ');
  const style = from === 'client' ? 'cyan' : 'green';
  const packet = `${String(number).padStart(2)}  ${from} → ${to}  ${nameFlags(flags).padEnd(8)}  ${words}`;
  const change = (side) => (states[side] === before[side] ? '' : states[side]);
  const stateChanges = `${change('client').padEnd(stateWidth)}${change('server')}`;
  return `${paint(style, packet.padEnd(packetWidth))}${stateChanges}`.trimEnd();
}

const nameFlags = (flags) => ['syn', 'psh', 'fin', 'rst', 'ack'].filter((flag) => flags.has(flag)).join('+').toUpperCase();

function describeText(payload, longest = 24) {
  const text = payload.toString('latin1');
  return text.length > longest ? `${JSON.stringify(text.slice(0, longest))}…` : JSON.stringify(text);
}
