// Asks how many calls, processes and threads there are, and what an echo costs.

import { births, countAlive, countCalls, countEchoCalls, echoOf, findStep, kindsIn, namesIn } from './facts.mjs';
import { dull, fromThere, setsUpRing, spotsOf, union } from './trace-subject.mjs';
import { describeStep, nameCallInWords } from './words.mjs';

const mostCounted = 12;

export function askCount({ here, there, steps }) {
  return steps.flatMap(({ heading, order }) => union(namesIn(here, heading), namesIn(there, heading)).map((name) => {
    const answerIn = ({ here: story }) => (findStep(story, heading) === -1 ? null : countCalls(story, name, heading));
    const [right, other] = [answerIn({ here }), answerIn({ here: there })];
    const isDull = dull.includes(name) || (setsUpRing.test(name) && right === other);
    if (isDull || right > mostCounted || right < 1 || Math.max(right, other ?? 0) < 2) return { answerIn: () => null };
    return {
      kind: 'count', order, answerIn, answerElsewhere: fromThere(answerIn),
      text: `${describeStep(heading)} How many calls of ${nameCallInWords(name)} return in this step, all processes and threads together? (a number)`,
      topics: [`${heading}/${name}`], calls: [name],
      spotsIn: ({ here: story }) => spotsOf(story, heading, ({ returns }) => returns?.includes(name)),
    };
  }));
}

export function askAlive({ here, there, steps }) {
  if (kindsIn(here, there).length < 2) return [];
  return steps.map(({ heading, order }) => {
    const answerIn = ({ here: story }) => (findStep(story, heading) === -1 ? null : countAlive(story, findStep(story, heading)));
    return {
      kind: 'count', order, answerIn, answerElsewhere: fromThere(answerIn),
      text: `${describeStep(heading)} Then all has come to rest. `
        + 'Of how many processes and threads does the server consist, its first one included? (a number)',
      topics: [`${heading}/alive`], calls: births,
      spotsIn: ({ here: story }) => story.slice(0, findStep(story, heading) + 1)
        .flatMap((step) => spotsOf(story, step.heading, (line) => isBirthOrEnd(line))),
    };
  });
}

const isBirthOrEnd = ({ returns = [], text }) => returns.some((name) => births.includes(name)) || /^\+\+\+ /.test(text);

export function askEcho({ here, there, names }) {
  const echo = echoOf(here);
  if (echo === undefined) return [];
  const order = here.indexOf(echo);
  const count = ({ here: story }) => countEchoCalls(story);
  const compare = ({ here: story, there: other }) => {
    const [mine, yours] = [countEchoCalls(story), countEchoCalls(other)];
    return mine === null || yours === null ? null : ['fewer', 'as many', 'more'][Math.sign(mine - yours) + 1];
  };
  const spotsIn = ({ here: story }) => spotsOf(story, echo.heading, ({ returns }) => returns?.length > 0);
  const common = { order, topics: ['echo'], calls: echo.calls, spotsIn };
  return [
    {
      ...common, kind: 'count', answerIn: count, answerElsewhere: fromThere(count),
      text: `${describeStep(echo.heading)} How many system calls of the server return in this step: what does one echo cost? (a number)`,
    },
    {
      ...common, kind: 'compare', answerIn: compare, isDifference: compare({ here, there }) !== 'as many', isFixed: true,
      text: `Count the system calls that return while one echo is made. Does ${names.here} need fewer than ${names.there}, as many, or more?`,
      choices: ['fewer', 'as many', 'more'],
    },
  ];
}
