// A frame of a recording as a reader sees it: tables, with what has changed since the frame before. For the terminal, the book and the
// pictures alike; nothing of Node, so that a page can use it.

/** Where an actor stands in the chapter itself: the innermost place that is not in common/. */
export const placeOf = (stack) => stack.find(({ file }) => !file.startsWith('common/')) ?? stack[0] ?? null;

const inner = (stack) => (stack.length > 0 && stack[0].file.startsWith('common/') && placeOf(stack) !== stack[0] ? stack[0] : null);

/** The text of a line of the code in a recording; an empty text where it does not have it. */
export function lineOf(recording, place) {
  const block = blockOf(recording, place);
  return block === null ? '' : block.lines[place.line - block.first];
}

const blockOf = (recording, place) => (place === null ? null
  : recording.code.find(({ file, first, lines }) => file === place.file && place.line >= first && place.line < first + lines.length) ?? null);

/** Text without what differs from run to run: ports. */
export const calm = (text) => text.replace(/htons\(\d+\)/g, 'htons(…)').replace(/(listening on [^"]*?):\d+/g, '$1:…');

/** Whether an event is what a client or the operator does, and not the server. */
export const isOutside = ({ kind }) => kind === 'client' || kind === 'operator';

/** What a reader should know of a recording before its frames: [sentences]. */
export function describeStart({ options = [], choice }) {
  return [...(options.length === 0 ? [] : [`The server was started with ${options.join(' ')}.`]), ...(choice === undefined ? [] : [`${choice}.`])];
}

const marks = { new: '+', changed: '*', gone: '-' };

/** A sign for a mark, for where there are no colours. */
export const signOf = (mark) => marks[mark] ?? ' ';

/**
 * Frame number `at`: {step, event: {actor, text, kind}, code, sections}.
 *   code      {file, lines: [{number, text, roles}]}: the function in which the actor of the event stands, or who acted last; `roles` says
 *             who stands on the line. null where there is none
 *   sections  [{name, title, columns: [{title, derived, isCode}], rows: [{key, cells, mark}]}]: `mark` is '', 'new', 'changed' or 'gone'. A section
 *             without rows is left out
 */
export function describeFrame(recording, at) {
  const frame = recording.frames[at];
  const before = recording.frames[at - 1] ?? null;
  return {
    step: recording.steps[frame.step],
    event: { actor: frame.event.actor, text: calm(frame.event.text), kind: frame.event.kind, words: kinds[frame.event.kind] ?? '' },
    code: showCode(recording, at),
    sections: sections.map(({ name, title, columns, list, isFresh }) => ({
      name, title, columns: columns.map(([text, derived = false]) => ({ title: text, derived, isCode: text === 'line' || text === 'asleep in' })),
      rows: isFresh ? list(frame, recording).map((row) => ({ ...row, mark: 'new' })) : compareRows(before === null ? [] : list(before, recording), list(frame, recording), before === null),
    })).filter(({ rows }) => rows.length > 0),
  };
}

const kinds = {
  client: 'a client acts', operator: 'the operator acts', call: 'the call returns', sleep: 'the call has begun, and sleeps', enter: 'the call begins', signal: 'a signal comes', end: 'it has ended',
};

function compareRows(before, now, isFirst) {
  const old = new Map(before.map((row) => [row.key, row]));
  const keys = new Set(now.map(({ key }) => key));
  const rows = now.map((row) => {
    const known = old.get(row.key);
    const mark = isFirst ? '' : known === undefined ? 'new' : known.cells.join('\t') === row.cells.join('\t') ? '' : 'changed';
    return { ...row, mark };
  });
  return [...rows, ...before.filter(({ key }) => !keys.has(key)).map((row) => ({ ...row, mark: 'gone' }))];
}

function showCode(recording, at) {
  const frame = recording.frames[at];
  // What a client does has no place in the server: then it is that of the actor that is woken, or has acted last.
  const role = !isOutside(frame.event) ? frame.event.actor
    : frame.actors.find(({ state }) => state === 'ready')?.role ?? recording.frames.slice(0, at).findLast(({ event }) => !isOutside(event))?.event.actor;
  const actor = frame.actors.find((one) => one.role === role && one.stack.length > 0) ?? frame.actors.find(({ stack }) => stack.length > 0);
  const place = placeOf(actor?.stack ?? []);
  const block = blockOf(recording, place);
  if (block === null) return null;
  const standing = new Map();
  const add = ({ file, line }, who) => {
    if (file !== block.file) return;
    if (!standing.has(line)) standing.set(line, []);
    if (!standing.get(line).includes(who)) standing.get(line).push(who);
  };
  for (const { role: who, stack } of frame.actors) if (stack.length > 0) add(placeOf(stack), who);
  for (const { name, place: where } of frame.coroutines) if (where !== null) add(where, name);
  return {
    file: block.file,
    line: place.line,
    role: actor.role,
    lines: block.lines.map((text, index) => ({ number: block.first + index, text, roles: standing.get(block.first + index) ?? [] })),
  };
}

const where = (place) => (place === null ? '' : `${place.file}:${place.line}`);

function describeActor(recording, { role, state, in: inCall, stack }) {
  const place = placeOf(stack);
  const deeper = inner(stack);
  return {
    key: role,
    cells: [role, state, place === null ? '' : `${where(place)} ${place.function}${deeper === null ? '' : `, in ${where(deeper)}`}`, calm(inCall ?? ''), lineOf(recording, place).trim()],
  };
}

function listConnections({ sockets }) {
  const listeners = sockets.filter(({ state }) => state === 'LISTEN').map(({ accept, whose }, at, { length }) => ({
    key: at === 0 ? 'listener' : `listener ${at + 1}`,
    cells: [length === 1 ? 'listener' : `listener ${at + 1}`, '', 'LISTEN', whose.join(', '), `accept queue ${accept}`, ''],
  }));
  const clients = [...new Set(sockets.map(({ client }) => client).filter((client) => client !== null))];
  return [...listeners, ...clients.map((name) => {
    const end = (side) => sockets.find((socket) => socket.side === side && socket.client === name);
    const [client, server] = [end('client'), end('server')];
    return {
      key: name,
      cells: [name, client?.state ?? 'none', server?.state ?? 'none', server?.whose.join(', ') ?? '', server ? `${server.receive}` : '', server ? `${server.send}` : ''],
    };
  })];
}

const listInterest = ({ interest }) => interest.flatMap(({ of, kind, fd, list }) => (list.length === 0
  ? [{ key: `${of} ${kind} ${fd} nothing`, cells: [`${of}: ${kind}${fd === null ? '' : ` ${fd}`}`, 'nothing', '', ''] }]
  : list.map((entry) => ({
    key: `${of} ${kind} ${fd} ${entry.fd}`,
    cells: [`${of}: ${kind}${fd === null ? '' : ` ${fd}`}`, `${entry.fd}`, entry.events, entry.ready === null ? '' : entry.ready ? 'yes' : 'no'],
  }))));

// Which process something belongs to is said where it is not the server.
const nameOf = (name, { of }) => (of === undefined ? name : `${name}, ${of}`);

const stages = [['submission', 'submission queue'], ['inFlight', 'in flight'], ['completion', 'completion queue']];
const listRings = ({ rings }) => rings.flatMap((ring) => stages.flatMap(([stage, words]) => ring[stage].map((entry) => ({
  key: `${ring.of ?? ''} ${ring.fd} ${entry.number ?? 'none'}${entry.more ? ` ${entry.result}` : ''}`,
  cells: [nameOf(`ring ${ring.fd}`, ring), words, entry.number === null ? 'another' : `${entry.number} ${entry.operation}`, stage === 'completion' ? `result ${entry.result}${entry.more ? ', more will come' : ''}` : `on ${entry.fd}`],
}))));

/** Where a coroutine that runs stands: at the place of its function on the stack of a thread. */
const findRunning = ({ function: name, of = 'server' }, actors) => actors.filter(({ process }) => process === of)
  .flatMap(({ stack }) => stack).find((place) => place.function === name) ?? null;

const flagNames = { syn: 'SYN', fin: 'FIN', rst: 'RST', psh: 'PSH', ack: 'ACK' };

const sections = [
  {
    name: 'actors', title: 'who stands where', columns: [['who', true], ['state'], ['at'], ['asleep in'], ['line']],
    list: ({ actors }, recording) => actors.map((actor) => describeActor(recording, actor)),
  },
  {
    name: 'coroutines', title: 'coroutines', columns: [['which', true], ['function'], ['state'], ['at'], ['awaits'], ['line']],
    list: ({ coroutines, actors }, recording) => coroutines.map((coroutine) => {
      const { name, function: text, state, awaiter } = coroutine;
      const place = coroutine.place ?? findRunning(coroutine, actors);
      return { key: name, cells: [nameOf(name, coroutine), text, state, where(place), awaiter ?? '', lineOf(recording, place).trim()] };
    }),
  },
  {
    name: 'descriptors', title: 'descriptors', columns: [['of'], ['number'], ['what it is']],
    list: ({ actors }) => actors.flatMap(({ process, descriptors }) => (descriptors ?? []).map(({ number, what }) => ({ key: `${process} ${number}`, cells: [process, `${number}`, what] }))),
  },
  {
    name: 'sockets', title: 'connections', columns: [['with'], ["client's state"], ["server's state"], ['open in', true], ['to read'], ['to send']], list: listConnections,
  },
  { name: 'interest', title: 'watched', columns: [['list'], ['descriptor'], ['for'], ['ready now', true]], list: listInterest },
  { name: 'rings', title: 'io_uring', columns: [['ring'], ['place'], ['entry'], ['']], list: listRings },
  {
    name: 'packets', title: 'packets since the frame before', isFresh: true, columns: [['from'], ['to'], ['flags'], ['bytes'], ["client's state", true], ["server's state", true]],
    list: ({ packets }) => packets.map(({ from, to, flags, length, states }, at) => ({
      key: `${at}`, cells: [from, to, flags.map((flag) => flagNames[flag] ?? flag).join(' '), length === 0 ? '' : `${length}`, states.client, states.server],
    })),
  },
];
