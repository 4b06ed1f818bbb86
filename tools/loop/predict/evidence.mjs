// Shows the part of a recording that answers a question.

import { firstStates, isSure } from '../../observe/record-packets.mjs';
import { describePacket } from './packet-questions.mjs';

const around = 2; // lines before and after
const mostLines = 9;

/** The lines of a trace beside a question, those that answer it marked with `>`. */
export function showTrace(story, spots) {
  const width = Math.max(0, ...story.flatMap(({ lines }) => lines.map(({ role }) => role.length)));
  return showSpots(story, spots, ({ lines }) => lines.map(({ role, text, isAsleep, turns, length }) => {
    if (turns !== undefined) return `${role.padEnd(width)}  … ${length === 1 ? 'this call' : `these ${length} calls`} again and again`;
    return `${role.padEnd(width)}  ${text}${isAsleep ? '   (asleep)' : ''}`;
  }));
}

/** The same of a capture, with the states to which each packet leads. */
export function showPackets(steps, spots) {
  return showSpots(steps, spots, ({ packets }) => packets.filter(isSure).map((packet) => {
    const { client, server } = packet.states ?? firstStates;
    return `${describePacket(packet).padEnd(44)} client ${client.padEnd(12)} server ${server}`;
  }));
}

function showSpots(steps, spots, render) {
  const order = [...new Set(spots.map(({ step }) => step))].sort((a, b) => a - b);
  return order.flatMap((step) => {
    const lines = render(steps[step]);
    const marked = spots.filter((spot) => spot.step === step && spot.line !== null).map(({ line }) => line);
    const isNear = (at) => (marked.length === 0 ? at < mostLines : marked.some((line) => Math.abs(line - at) <= around));
    const shown = lines.map((text, at) => ({ text, at })).filter(({ at }) => isNear(at));
    const rows = shown.flatMap(({ text, at }, index) => [
      ...(index > 0 && shown[index - 1].at !== at - 1 ? ['    …'] : []),
      `  ${marked.includes(at) ? '>' : ' '} ${text}`,
    ]);
    return [`  ${steps[step].title}`, ...(rows.length > 0 ? rows : ['    (no line)'])];
  });
}
