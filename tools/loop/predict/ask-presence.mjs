// Asks which calls are new or gone, and what comes of it for a second client.

import { familyOf, findStep, namesIn } from './facts.mjs';
import { everyday, fromThere, wholeStep, withoutFamily } from './trace-subject.mjs';
import { nameCallInWords, startSentence } from './words.mjs';

// --- Which calls are new, which are gone -------------------------------------------------------------

export function askPresence({ here, there, names }) {
  if (there.length === 0) return [];
  const [mine, yours] = [here, there].map((story) => namesIn(story));
  const lacks = (list, name) => !list.some((other) => familyOf(other) === familyOf(name));
  const ask = (name, has, hasNot, words, side) => {
    const rest = [...has.filter((other) => !lacks(hasNot, other)), ...hasNot];
    const tempting = [...hasNot.filter((other) => lacks(has, other)), ...rest.filter((other) => !everyday.includes(other)), ...rest];
    return {
      kind: 'presence', order: -1, isDifference: true, isGone: side === 'there',
      answerIn: (stories) => (namesIn(stories[side]).includes(name) && lacks(namesIn(stories[side === 'here' ? 'there' : 'here']), name) ? name : null),
      text: `From the start of the server to the end of the session, which of these calls ${words}?`,
      choices: withoutFamily(tempting, name), nameValue: nameCallInWords,
      about: name, topics: [`presence/${words}`, name], calls: [name],
      spotsIn: (stories) => findFirst(stories[side], name),
    };
  };
  return [
    ...mine.filter((name) => lacks(yours, name)).map((name) => ask(name, mine, yours, `does ${names.here} make, and ${names.there} does not`, 'here')),
    ...yours.filter((name) => lacks(mine, name)).map((name) => ask(name, yours, mine, `does ${names.there} make, and ${names.here} no longer`, 'there')),
  ];
}

function findFirst(story, name) {
  const step = story.findIndex(({ lines }) => lines.some(({ call }) => call?.name === name));
  return step === -1 ? [] : [{ step, line: story[step].lines.findIndex(({ call }) => call?.name === name) }];
}

// --- What comes of it (two clients) ------------------------------------------------------------------

export function askOutcome({ here }) {
  return here.filter(({ title, heading }) => title !== heading).map(({ heading }) => {
    const answerIn = ({ here: story }) => {
      const step = story[findStep(story, heading)];
      return step === undefined ? null : step.isEcho ? 'served' : 'waits';
    };
    return {
      kind: 'outcome', order: here.findIndex((step) => step.heading === heading), answerIn, answerElsewhere: fromThere(answerIn),
      text: `${startSentence(heading)}, while the first one is connected and silent. What does it get?`,
      choices: ['served', 'waits'], fewest: 2, isFixed: true,
      nameValue: (value) => ({ served: 'its echo, at once', waits: 'nothing, as long as the first one stays' })[value],
      topics: [`${heading}/outcome`], calls: ['accept', 'accept4'],
      spotsIn: ({ here: story }) => wholeStep(story, heading),
    };
  });
}
