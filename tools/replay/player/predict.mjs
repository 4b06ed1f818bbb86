// What comes next? A question for each frame, made from the recording alone.

import { calm, isOutside } from './describe.mjs';

const wanted = 4; // options
const textOf = ({ actor, text, kind }) => `${actor}: ${calm(text)}${kind === 'sleep' ? ' (asleep)' : ''}`;

/**
 * {question, options: [{text, isRight}]} about the frame after `at`; null where none comes, or where a client or the operator acts next, which
 * the server cannot know. The wrong options are other events of the recording, those first that are like the right one: the same call with another
 * outcome, then the calls near by. The same frame has the same options in the same order, whenever it is asked.
 */
export function askAhead(recording, at) {
  const next = recording.frames[at + 1]?.event;
  if (next === undefined || isOutside(next)) return null;
  const right = textOf(next);
  const others = recording.frames.map(({ event }, index) => ({ event, text: textOf(event), distance: Math.abs(index - at - 1) }))
    .filter(({ event, text }) => !isOutside(event) && text !== right)
    .sort((a, b) => likeness(b.event, next) - likeness(a.event, next) || a.distance - b.distance);
  const wrong = [...new Set(others.map(({ text }) => text))].slice(0, wanted - 1);
  if (wrong.length === 0) return null;
  const options = wrong.map((text) => ({ text, isRight: false }));
  options.splice((at * 7 + right.length) % (options.length + 1), 0, { text: right, isRight: true });
  return { question: 'What comes next?', options };
}

const likeness = (event, next) => (event.call?.name === next.call?.name ? 1 : 0) + (event.actor === next.actor ? 0.5 : 0);
