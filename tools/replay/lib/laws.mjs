// What must hold in each frame of a recording, whatever the server: laws of the kernel, of TCP and of the recording's own form.

import { isOutside } from '../player/describe.mjs';
import { findLine } from './recording.mjs';

/** Checks all laws: [{law, frame (its number), text}], empty where all hold. */
export function findViolations(recording) {
  return Object.entries(laws).flatMap(([law, check]) => {
    const found = [];
    check(recording, (frame, text) => found.push({ law, frame, text }));
    return found;
  });
}

const withDescriptor = new Set(['read', 'write', 'recvfrom', 'sendto', 'accept', 'accept4', 'listen', 'bind', 'setsockopt', 'getsockname', 'shutdown',
  'epoll_ctl', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'io_uring_enter', 'fcntl', 'readv', 'writev', 'sendmsg', 'recvmsg']);
const opening = new Set(['socket', 'accept', 'accept4', 'epoll_create1', 'epoll_create', 'io_uring_setup', 'eventfd2', 'timerfd_create', 'signalfd4', 'dup',
  'dup2', 'dup3', 'pidfd_open']);
const openingPairs = new Set(['pipe2', 'socketpair']);
const births = new Set(['fork', 'vfork', 'clone']);
const names = { // ss's to those of RFC 9293, as observe/tcp-states.mjs has them
  FIN_WAIT1: 'FIN_WAIT_1', FIN_WAIT2: 'FIN_WAIT_2', SYN_RECV: 'SYN_RECEIVED', CLOSE: 'CLOSED',
};

const actorOf = (frame, role) => frame.actors.find((actor) => actor.role === role);
const tableOf = (frame, process) => frame?.actors.find((actor) => actor.process === process && actor.descriptors !== null)?.descriptors ?? null;
const has = (table, number) => table.some((entry) => entry.number === number);
const returned = ({ kind, call }) => (kind === 'call' && /^-?\d+/.test(call?.result ?? '') ? Number.parseInt(call.result, 10) : null);
const firstNumber = (call) => (/^\d+$/.test(call?.args[0] ?? '') ? Number(call.args[0]) : null);
const whatIs = (frame, process, number) => tableOf(frame, process)?.find((entry) => entry.number === number)?.what ?? null;
const clientOf = (what) => /^connection with (.*)$/.exec(what ?? '')?.[1] ?? null;

/** The first event of `role` after frame `at` that ends its call. */
const nextReturn = (frames, at, role) => frames.slice(at + 1).find(({ event }) => event.actor === role && event.kind === 'call')?.event ?? null;

/**
 * What the calls have taken up to a frame: of those that are told, and of those that have happened in the kernel and whose callers are
 * only to be told. `measure(call, result, frame, process)` gives {key, amount} or null.
 */
function countTaken(frames, at, measure) {
  const taken = new Map();
  const add = (found) => found && taken.set(found.key, (taken.get(found.key) ?? 0) + found.amount);
  for (const [index, frame] of frames.slice(0, at + 1).entries()) {
    if (frame.event.kind === 'call') add(measure(frame.event, frame, frames[index - 1] ?? frame));
  }
  for (const actor of frames[at].actors) {
    if (actor.state !== 'ready') continue;
    const event = nextReturn(frames, at, actor.role);
    // It was asleep in that call before: one that it is only going to make has taken nothing.
    if (event !== null && wasAsleepIn(frames, at, actor.role) === event.call?.name) add(measure(event, frames[at], frames[at]));
  }
  return taken;
}

function wasAsleepIn(frames, at, role) {
  const last = frames.slice(0, at + 1).findLast(({ event }) => event.actor === role && !isOutside(event));
  return last?.event.kind === 'sleep' ? last.event.call?.name : null;
}

const processOf = ({ of = 'server' }) => of; // of a ring

/** Completions that have been seen up to a frame, each once: [{process, number, operation, result, entry}]. */
function listCompletions(frames, at) {
  const entries = new Map();
  const seen = new Map();
  for (const frame of frames.slice(0, at + 1)) {
    for (const ring of frame.rings) {
      const process = processOf(ring);
      for (const entry of [...ring.submission, ...ring.inFlight]) entries.set(`${process} ${ring.fd} ${entry.number}`, { ...entry, frame });
      for (const completion of ring.completion) {
        const key = `${process} ${ring.fd} ${completion.number}`;
        // A multishot operation completes again and again; its results tell them apart well enough here.
        seen.set(completion.more ? `${key} ${completion.result}` : key, { ...completion, process, entry: entries.get(key) });
      }
    }
  }
  return [...seen.values()];
}

/** Of each client: the packets up to a frame, and the states after the last of them. */
function followPackets(frames, at) {
  const clients = new Map();
  for (const { packets } of frames.slice(0, at + 1)) {
    for (const packet of packets) {
      const client = packet.from === 'server' ? packet.to : packet.from;
      if (!clients.has(client)) {
        clients.set(client, { toServer: 0, toClient: 0, fin: false, established: false, states: null, sent: { client: 0, server: 0 }, acknowledged: { client: 0, server: 0 } });
      }
      const known = clients.get(client);
      const [from, to] = packet.from === 'server' ? ['server', 'client'] : ['client', 'server'];
      // SYN and FIN count for one each.
      const end = packet.seq + packet.length + ['syn', 'fin'].filter((flag) => packet.flags.includes(flag)).length;
      known.sent[from] = Math.max(known.sent[from], end);
      known.acknowledged[to] = Math.max(known.acknowledged[to], packet.ack ?? 0);
      if (packet.kind !== 'again') {
        if (packet.from === 'server') known.toClient += packet.length;
        else known.toServer += packet.length;
      }
      if (packet.from !== 'server' && packet.flags.includes('fin')) known.fin = true;
      known.states = packet.states;
      if (packet.states.server === 'ESTABLISHED') known.established = true;
    }
  }
  return clients;
}

export const laws = {
  /** A descriptor is open before it is used. */
  'open before use'({ frames }, complain) {
    frames.forEach((frame, at) => {
      const { call, actor, kind } = frame.event;
      if (call === null || !['call', 'sleep', 'enter'].includes(kind)) return;
      const process = actorOf(frame, actor)?.process;
      const number = firstNumber(call);
      const table = tableOf(frames[at - 1] ?? frame, process);
      if (number === null || number < 3 || table === null || !(withDescriptor.has(call.name) || call.name === 'close')) return;
      if (!has(table, number)) complain(at, `${call.name} uses the descriptor ${number}, which ${process} does not have open`);
    });
  },

  /** A descriptor is closed once: it was open, and is not any more. */
  'closed once'({ frames }, complain) {
    frames.forEach((frame, at) => {
      if (frame.event.call?.name !== 'close' || returned(frame.event) !== 0) return;
      const process = actorOf(frame, frame.event.actor)?.process;
      const number = firstNumber(frame.event.call);
      if (number < 3) return;
      if (at > 0 && tableOf(frames[at - 1], process) !== null && !has(tableOf(frames[at - 1], process), number)) complain(at, `${number} was closed already`);
      if (tableOf(frame, process) !== null && has(tableOf(frame, process), number)) complain(at, `${number} is closed, and still in the table of ${process}`);
    });
  },

  /** A descriptor comes from a call or from a completion, and goes by close or with its process. */
  'no descriptor from nowhere'({ frames }, complain) {
    frames.forEach((frame, at) => {
      for (const { process, descriptors } of frame.actors) {
        const before = tableOf(frames[at - 1], process);
        if (descriptors === null || before === null) continue;
        for (const { number } of descriptors) {
          if (has(before, number) || isOpenedBy(frames, at, process, number)) continue;
          complain(at, `${process} has the descriptor ${number}, and nothing has opened it`);
        }
        for (const { number } of before) {
          if (has(descriptors, number) || isClosedBy(frame, process, number)) continue;
          complain(at, `${process} has lost the descriptor ${number}, and nothing has closed it`);
        }
      }
    });
  },

  /** What waits to be read is what has come, less what was read. */
  'a receive queue falls by what read returned'({ frames, packets }, complain) {
    if (!packets) return;
    const measure = (event, frame, before) => {
      const count = returned(event);
      if (count === null || count < 0 || !['read', 'recvfrom'].includes(event.call?.name)) return null;
      const process = actorOf(frame, event.actor)?.process;
      const client = clientOf(whatIs(before, process, firstNumber(event.call)) ?? whatIs(frame, process, firstNumber(event.call)));
      // Reading the end of the file takes the FIN.
      return client === null ? null : { key: client, amount: count === 0 ? 1 : count };
    };
    frames.forEach((frame, at) => {
      const come = followPackets(frames, at);
      const taken = countTaken(frames, at, measure);
      const ended = new Set();
      for (const { process, operation, result, entry } of listCompletions(frames, at)) {
        const client = clientOf(whatIs(entry?.frame, process, entry?.fd));
        if (!/^(RECV|READ)/.test(operation ?? '') || client === null || result < 0 || (result === 0 && ended.has(client))) continue;
        if (result === 0) ended.add(client);
        taken.set(client, (taken.get(client) ?? 0) + (result === 0 ? 1 : result));
      }
      for (const { side, client, receive, state } of frame.sockets) {
        if (side !== 'server' || client === null || state === 'TIME_WAIT' || !come.has(client)) continue;
        const { toServer, fin } = come.get(client);
        const expected = toServer + (fin ? 1 : 0) - (taken.get(client) ?? 0);
        if (receive !== expected) complain(at, `the server's receive queue of ${client} holds ${receive}, and should hold ${expected}: ${toServer} bytes${fin ? ' and the FIN have' : ' have'} come, ${taken.get(client) ?? 0} were read`);
      }
    });
  },

  /** What waits in a send queue was sent and is not acknowledged. */
  'a send queue falls by acknowledgements'({ frames, packets }, complain) {
    if (!packets) return;
    frames.forEach((frame, at) => {
      const known = followPackets(frames, at);
      for (const { side, client, send, state } of frame.sockets) {
        if (client === null || ['TIME_WAIT', 'SYN_SENT', 'SYN_RECV', 'CLOSE'].includes(state) || !known.has(client)) continue;
        const { sent, acknowledged } = known.get(client);
        const expected = sent[side] - acknowledged[side];
        if (send !== expected) complain(at, `the ${side}'s send queue of ${client} holds ${send}, and should hold ${expected}`);
      }
    });
  },

  /** Who waits in the accept queue has finished the handshake and was not accepted. */
  'the accept queue falls by accept'({ frames, packets }, complain) {
    if (!packets) return;
    const measure = (event) => (['accept', 'accept4'].includes(event.call?.name) && (returned(event) ?? -1) >= 0 ? { key: 'all', amount: 1 } : null);
    frames.forEach((frame, at) => {
      const come = [...followPackets(frames, at).values()].filter(({ established }) => established).length;
      const accepted = (countTaken(frames, at, measure).get('all') ?? 0)
        + listCompletions(frames, at).filter(({ operation, result }) => operation === 'ACCEPT' && result >= 0).length;
      const waiting = frame.sockets.filter(({ state }) => state === 'LISTEN').reduce((sum, { accept }) => sum + accept, 0);
      if (frame.sockets.some(({ state }) => state === 'LISTEN') && waiting !== come - accepted) {
        complain(at, `${waiting} wait in the accept queue; ${come} have come and ${accepted} were accepted`);
      }
    });
  },

  /** The states that ss shows are those to which the packets lead. */
  'TCP states follow from packets'({ frames, packets }, complain) {
    if (!packets) return;
    frames.forEach((frame, at) => {
      const known = followPackets(frames, at);
      for (const [client, { states }] of known) {
        for (const side of ['client', 'server']) {
          const state = frame.sockets.find((row) => row.side === side && row.client === client)?.state ?? 'CLOSED';
          if ((names[state] ?? state) !== states[side]) complain(at, `the ${side}'s end of ${client} is in ${state}, and the packets lead to ${states[side]}`);
        }
      }
      for (const { client } of frame.sockets) if (client !== null && !known.has(client)) complain(at, `${client} has a socket, and no packet of it was seen`);
    });
  },

  /** An echo server sends nothing that it has not received. */
  'nothing is sent that has not come'({ frames, packets }, complain) {
    if (!packets) return;
    frames.forEach((_, at) => {
      for (const [client, { toServer, toClient }] of followPackets(frames, at)) {
        if (toClient > toServer) complain(at, `${client} has got ${toClient} bytes, and has sent ${toServer}`);
      }
    });
  },

  /** An epoll instance watches what epoll_ctl has put there, less what was closed. */
  'the interest list changes by epoll_ctl and close'({ frames }, complain) {
    const lists = new Map(); // "process fd" to a Map of descriptors to events
    frames.forEach((frame, at) => {
      const { call, actor } = frame.event;
      const process = actorOf(frame, actor)?.process;
      if (call?.name === 'epoll_ctl' && returned(frame.event) === 0) {
        const list = lists.get(`${process} ${call.args[0]}`) ?? lists.set(`${process} ${call.args[0]}`, new Map()).get(`${process} ${call.args[0]}`);
        const events = /events=([^,}]*)/.exec(call.args[3] ?? '')?.[1];
        if (call.args[1] === 'EPOLL_CTL_DEL') list.delete(Number(call.args[2]));
        else list.set(Number(call.args[2]), events);
      }
      for (const { of, kind, fd, list } of frame.interest) {
        if (kind !== 'epoll') continue;
        const known = lists.get(`${of} ${fd}`) ?? new Map();
        for (const number of [...known.keys()]) if (!has(tableOf(frame, of) ?? [], number)) known.delete(number);
        const expected = [...known].sort(([a], [b]) => a - b).map(([number, events]) => `${number} ${events}`).join(', ');
        const shown = list.map((entry) => `${entry.fd} ${entry.events}`).join(', ');
        if (shown !== expected) complain(at, `the interest list of ${fd} is [${shown}], and should be [${expected}]`);
      }
    });
  },

  /** An entry of a ring is submitted, then in flight, then completed: in one place at a time, and never back. */
  'an entry goes one way through a ring'({ frames }, complain) {
    const order = ['submission', 'inFlight', 'completion'];
    const stages = new Map();
    frames.forEach((frame, at) => {
      for (const ring of frame.rings) {
        const here = new Map();
        for (const stage of order) {
          for (const { number, more } of ring[stage]) {
            if (number === null) continue;
            const key = `${processOf(ring)} ${ring.fd} ${number}`;
            if (here.has(key) && here.get(key) !== stage && !more) complain(at, `the entry ${number} is in two places: ${here.get(key)} and ${stage}`);
            here.set(key, more ? 'inFlight' : stage);
            const before = order.indexOf(stages.get(key) ?? 'submission');
            if (order.indexOf(stage) < before && !more) complain(at, `the entry ${number} was in ${order[before]} and is in ${stage} again`);
            if (stage === 'completion' && !stages.has(key)) complain(at, `the entry ${number} is completed, and was never submitted`);
          }
        }
        for (const [key, stage] of here) stages.set(key, stage);
      }
    });
  },

  /** A process or thread comes from a call that makes one. */
  'who acts was born'({ frames }, complain) {
    const known = new Set(['server']);
    frames.forEach((frame, at) => {
      const { event } = frame;
      if (births.has(event.call?.name) && event.call.result) known.add(event.call.result);
      for (const { role } of frame.actors) {
        if (known.has(role)) continue;
        // The kernel has made it, and the caller is only to be told.
        const teller = frames.slice(at).find((later) => births.has(later.event.call?.name) && later.event.call.result === role);
        if (teller === undefined) complain(at, `${role} is there, and no call has made it`);
        known.add(role);
      }
      if (!isOutside(event) && !known.has(event.actor)) complain(at, `${event.actor} acts, and no call has made it`);
    });
  },

  /** Who sleeps in a call does nothing else before that call has returned. */
  'a sleeper wakes first'({ frames }, complain) {
    const asleep = new Map();
    frames.forEach(({ event }, at) => {
      if (isOutside(event)) return;
      const inCall = asleep.get(event.actor);
      asleep.delete(event.actor);
      if (inCall !== undefined && event.kind !== 'end' && !(event.kind === 'call' && event.call?.name === inCall) && event.kind !== 'signal') {
        complain(at, `${event.actor} sleeps in ${inCall}, and does this: ${event.text}`);
      }
      if (event.kind === 'sleep') asleep.set(event.actor, event.call?.name);
    });
  },

  /** A place is a line of the code that the recording has, with something on it. */
  'a place is a line of code'(recording, complain) {
    recording.frames.forEach((frame, at) => {
      const places = [...frame.actors.flatMap(({ stack }) => stack), ...frame.coroutines.flatMap(({ place }) => (place === null ? [] : [place]))];
      for (const place of places) {
        const text = findLine(recording, place);
        if (text === null || text.trim() === '') complain(at, `${place.file}:${place.line} (${place.function}) is no line of code`);
      }
    });
  },

  /** A coroutine that is suspended awaits something, somewhere. */
  'a suspended coroutine stands somewhere'({ frames }, complain) {
    frames.forEach((frame, at) => {
      for (const { name, state, place, awaiter } of frame.coroutines) {
        if ((state === 'suspended') !== (place !== null && awaiter !== null)) complain(at, `${name} is ${state}, and ${place === null ? 'stands nowhere' : `stands at line ${place.line}`}`);
      }
    });
  },
};

function isOpenedBy(frames, at, process, number) {
  const { event } = frames[at];
  const isOwn = (frame, role) => actorOf(frame, role)?.process === process;
  const opens = (call, result) => (opening.has(call?.name) && result === number) || (call?.name === 'fcntl' && /DUPFD/.test(call.args[1]) && result === number)
    || (openingPairs.has(call?.name) && call.args.join(' ').match(/\d+/g)?.includes(`${number}`));
  if (isOwn(frames[at], event.actor) && opens(event.call, returned(event))) return true;
  if (listCompletions(frames, at).some((completion) => completion.process === process && completion.operation === 'ACCEPT' && completion.result === number)) return true;
  // The kernel has done it, and the caller is only to be told.
  return frames[at].actors.some((actor) => actor.state === 'ready' && actor.process === process && (() => {
    const next = nextReturn(frames, at, actor.role);
    return next !== null && opens(next.call, returned(next));
  })());
}

function isClosedBy(frame, process, number) {
  const { event } = frame;
  const owner = actorOf(frame, event.actor);
  if (owner?.process === process && event.call?.name === 'close' && firstNumber(event.call) === number) return true;
  return owner?.process === process && (event.kind === 'end' || /^exec|^exit/.test(event.call?.name ?? '') || event.call?.name === 'close_range');
}
