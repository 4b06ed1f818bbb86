// Questions about packets and TCP states, from two captures (tools/observe/record-packets.mjs).

import { firstStates, isSure } from '../../observe/record-packets.mjs';
import { completeQuestion } from './question.mjs';
import { describeStep } from './words.mjs';

/** As makeTraceQuestions(); `here` and `there` are the steps of a capture: [{title, packets}]. */
export function makePacketQuestions({ here, there }, names) {
  const recordings = { here, there: there ?? [] };
  const steps = here.map(({ title }, order) => ({ title, order })).filter(({ title }) => there === null || findStep(there, title) !== -1);
  return [askNext, askState, askTimeWait, askFirstFin, askCount].flatMap((make) => make({ ...recordings, names, steps }))
    .map((draft) => ({ ...draft, answerElsewhere: ({ here: mine, there: yours }) => draft.answerIn({ here: yours, there: mine }) }))
    .map((draft) => completeQuestion(draft, recordings)).filter(Boolean);
}

const findStep = (steps, title) => steps.findIndex((step) => step.title === title);

/** The packets of a step that come in every capture. */
const surePackets = (steps, title) => (steps[findStep(steps, title)]?.packets ?? []).filter(isSure);

const leftOut = '(Left out, as in ./learn capture --plain: packets that only acknowledge, but for the last of the handshake and of the close.)';
const nothing = 'none: no other packet is sent in this step';

/** `server → client  SYN+ACK`. */
export const describePacket = ({ from, to, flags, length }) => `${from} → ${to}  ${nameFlags(flags)}${length > 0 ? `, ${length} bytes` : ''}`;

export const nameFlags = (flags) => ['syn', 'psh', 'fin', 'rst', 'ack'].filter((flag) => flags.has(flag)).join('+').toUpperCase();

/** The calls of the server to which a packet goes back; none for what the client does, and for what the kernel does alone. */
function callsOf(packet) {
  if (packet === undefined || packet.from === 'client') return [];
  if (packet.flags.has('syn')) return ['listen'];
  if (packet.flags.has('fin')) return ['FIN'];
  return packet.length > 0 ? ['sendto', 'write'] : [];
}

const usual = [
  'server → client  SYN+ACK', 'client → server  ACK', 'server → client  FIN+ACK', 'client → server  FIN+ACK', 'server → client  RST', nothing,
];

function askNext({ here, there, steps }) {
  return steps.flatMap(({ title, order }) => surePackets(here, title).map(describePacket).map((first, at, all) => {
    if (all.indexOf(first) !== all.lastIndexOf(first)) return { answerIn: () => null };
    const answerIn = ({ here: capture }) => {
      const packets = surePackets(capture, title).map(describePacket);
      return packets.includes(first) ? packets[packets.indexOf(first) + 1] ?? nothing : null;
    };
    return {
      kind: 'packet', order, answerIn, lines: [first],
      text: `${describeStep(title)} This packet is sent. Which packet comes next, and from which side? ${leftOut}`,
      // Where packets that only acknowledge are left out, such a one must not stand among the options.
      choices: [answerIn({ here: there }), ...mirror(answerIn({ here })), ...all, ...usual].filter((choice) => order === 0 || !/ ACK$/.test(choice)),
      topics: [`${title}/${at}`, `${title}/${at + 1}`], calls: callsOf(surePackets(here, title)[at + 1]),
      spotsIn: ({ here: capture }) => spotsOf(capture, title, at + 1),
    };
  }));
}

/** The same packet from the other side, and with one flag less or more. */
function mirror(text) {
  const [, from, to, flags, rest] = /^(\w+) → (\w+) {2}([A-Z+]+)(.*)$/.exec(text) ?? [];
  if (flags === undefined) return [];
  const others = flags.includes('FIN') ? ['ACK'] : flags === 'ACK' ? ['FIN+ACK'] : [];
  return [`${to} → ${from}  ${flags}${rest}`, ...others.map((other) => `${from} → ${to}  ${other}`)];
}

const stateNames = ['ESTABLISHED', 'CLOSE_WAIT', 'FIN_WAIT_1', 'TIME_WAIT', 'LAST_ACK', 'CLOSED', 'SYN_SENT', 'SYN_RECEIVED', 'LISTEN'];
const partners = {
  CLOSE_WAIT: ['FIN_WAIT_1', 'LAST_ACK'], FIN_WAIT_1: ['CLOSE_WAIT', 'ESTABLISHED'], TIME_WAIT: ['CLOSED', 'CLOSE_WAIT'],
  LAST_ACK: ['CLOSE_WAIT', 'TIME_WAIT'], CLOSED: ['TIME_WAIT', 'LAST_ACK'], SYN_SENT: ['SYN_RECEIVED', 'ESTABLISHED'],
  SYN_RECEIVED: ['ESTABLISHED', 'LISTEN'], ESTABLISHED: ['SYN_RECEIVED', 'CLOSE_WAIT'],
};

function askState({ here, steps }) {
  return steps.flatMap(({ title, order }) => surePackets(here, title).flatMap((packet, at) => ['client', 'server'].map((side) => {
    const answerIn = ({ here: capture }) => surePackets(capture, title)[at]?.states[side] ?? null;
    const right = answerIn({ here });
    // After the handshake a state that a packet leaves as it was is no news, and FIN_WAIT_2 lies between or not.
    if (packet.kind === 'data' || right === 'FIN_WAIT_2') return { answerIn: () => null };
    return {
      kind: 'state', order, answerIn, lines: [describePacket(packet)],
      text: `${describeStep(title)} This packet has come. In which state is the ${side}'s socket now?`,
      choices: [...partners[right] ?? [], ...stateNames],
      topics: [`${title}/state/${at}`, right], calls: callsOf(packet), spotsIn: ({ here: capture }) => spotsOf(capture, title, at),
    };
  })));
}

/** The states at the end of a capture. */
const lastStates = (steps) => steps.flatMap(({ packets }) => packets).at(-1)?.states ?? firstStates;

function askTimeWait({ here }) {
  return [{
    kind: 'state', order: here.length, isFixed: true,
    answerIn: ({ here: capture }) => (capture.length === 0 ? null
      : ['client', 'server'].filter((side) => lastStates(capture)[side] === 'TIME_WAIT').join(' and ') || 'nobody'),
    text: 'The session is over, and both have closed their sockets. Which side is in TIME_WAIT?',
    choices: ['client', 'server', 'client and server', 'nobody'],
    nameValue: (value) => ({ nobody: 'neither', 'client and server': 'both' })[value] ?? `the ${value}`,
    topics: ['TIME_WAIT'], spotsIn: ({ here: capture }) => lastSpot(capture),
  }];
}

function askFirstFin({ here }) {
  const find = (capture) => capture.flatMap(({ packets }) => packets).find(({ flags }) => flags.has('fin') || flags.has('rst'));
  return [{
    kind: 'packet', order: here.length, isFixed: true,
    answerIn: ({ here: capture }) => {
      const packet = find(capture);
      return packet === undefined ? null : `${packet.from}, ${packet.flags.has('fin') ? 'FIN' : 'RST'}`;
    },
    text: 'Which side begins to end the connection, and with which flag?',
    choices: ['client, FIN', 'server, FIN', 'client, RST', 'server, RST'], nameValue: (value) => `the ${value.replace(',', ', with')}`,
    topics: ['first FIN'], spotsIn: ({ here: capture }) => findPackets(capture, (packet) => packet === find(capture)),
  }];
}

function askCount({ here }) {
  const questions = [
    ['carry data', ({ length }) => length > 0, 'data'], ['have the flag SYN', ({ flags }) => flags.has('syn'), 'SYN'],
    ['have the flag FIN', ({ flags }) => flags.has('fin'), 'FIN'], ['have the flag RST', ({ flags }) => flags.has('rst'), 'RST'],
  ];
  return questions.map(([what, isMeant, topic]) => ({
    kind: 'count', order: here.length, topics: [`count/${topic}`],
    answerIn: ({ here: capture }) => (capture.length === 0 ? null : capture.flatMap(({ packets }) => packets.filter(isSure)).filter(isMeant).length),
    text: `In the whole session, from both sides, how many packets ${what}? (a number)`,
    spotsIn: ({ here: capture }) => findPackets(capture, isMeant),
  }));
}

const spotsOf = (steps, title, line) => {
  const step = findStep(steps, title);
  return step === -1 ? [] : [{ step, line: line < surePackets(steps, title).length ? line : null }];
};

/** Where in a capture the packets are that `isMeant` chooses. */
const findPackets = (steps, isMeant) => steps.flatMap(({ packets }, step) => (
  packets.filter(isSure).flatMap((packet, line) => (isMeant(packet) ? [{ step, line }] : []))));

const lastSpot = (steps) => {
  const step = steps.findLastIndex(({ packets }) => packets.some(isSure));
  return step === -1 ? [] : [{ step, line: steps[step].packets.filter(isSure).length - 1 }];
};
