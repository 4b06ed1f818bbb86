// What a recording is, where it lies, and what two recordings of the same have in common.
//
// docs/replay/NAME.json, NAME being a chapter's name without its number:
//
//   format      1
//   chapter     the name
//   session     one, two, reset or upgrade: what the clients do (observe/record-trace.mjs)
//   title       the session in words
//   options     [the words with which the server was started, beside its port]; not there where it was started without any
//   choice      a sentence: where the kernel chooses who gets a client, what it has chosen here. The session has other outcomes, too;
//               not there where it has one
//   steps       [what the clients do, in words]: frames name their step by its place
//   packets     whether packets were captured
//   fields      what is *seen* and what is *derived*, field by field, and from what: `fields` below
//   code        [{file, first, lines}]: the functions in which something stands in a frame, `first` being the number of the first line.
//               A file of the chapter is named from its folder (runtime/ring.hpp), one of common/ from the project's (common/fd.hpp)
//   frames      [frame]. A list that a frame does not name is as in the frame before, and without `packets` there were none:
//               player/expand.mjs gives each frame all of its fields
//
// A frame is what there was when nothing moved, right after its event:
//
//   step        which of `steps`
//   event       {actor, kind, text, call}: kind is `client` or `operator` (one of those has done a step), `call` (a system call has returned,
//               or ends its caller), `sleep` (one has begun and its caller sleeps in it), `enter` (a call on a ring has begun), `signal` or
//               `end` (a process or thread has ended). `text` is the line as ./learn trace has it. `call` is {name, args: [text], result:
//               text or null}, null where the event is no call
//   actors      [{role, process, state, in, stack, descriptors}]: processes and threads. `state` is `running` (the event is its
//               own), `ready` (it is woken, and its turn comes), `asleep`, `zombie` or `ended`; `in` the call in which it sleeps; `stack`
//               [{file, line, function}], inner ones first; `descriptors` [{number, what}], null for a thread of a process above
//   sockets     [{side, client, whose: [roles, or `accept queue`, or `kernel`], state, accept, receive, send}]: the listener and
//               both ends of each connection; of several listeners the first is `listener 1` in `descriptors`. `accept` is the length of the listener's accept queue; `receive` and `send` are bytes
//               (a FIN that has not been read counts as one)
//   interest    [{of, kind: epoll, poll or select, fd, list: [{fd, events, ready}]}]: what is watched; `ready` whether there is
//               something of it, null where the sockets do not tell
//   rings       [{of, fd, submission: [entry], completion: [completion], inFlight: [entry]}]; an entry is {number, operation, fd}, a completion
//               {number, operation, result, more}; `number` counts the entries of the ring. `of` is a process; not there where it is the server
//   coroutines  [{name, of, function, state: running or suspended, place: {file, line, function} or null, awaiter}]: `awaiter` is the
//               type of what it awaits, `of` as above
//   packets     [{from, to, flags, seq, ack, length, kind, states: {client, server}}] since the frame before (observe/tcp-states.mjs)
//
// There are no times: what is recorded is held at each call.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listChapters, withoutNumber } from '../../chapters.mjs';
import { Problem } from '../../observe/problem.mjs';
import { compact, expand } from '../player/expand.mjs';

export const format = 1;

/** Each field of a frame: [`seen` or `derived`, from what]. */
export const fields = {
  'steps': ['seen', 'what the clients have done'],
  'event.kind': ['seen', 'where the tracer (ptrace) has held the thread'],
  'event.text': ['seen', 'the number of the call, its arguments and its result, from registers and memory'],
  'event.call': ['seen', 'the same'],
  'actors.role': ['derived', 'the order in which processes and threads were made'],
  'actors.state': ['seen', '/proc/PID/stat, and whether the tracer holds it'],
  'actors.in': ['seen', 'the call that has begun and not returned'],
  'actors.stack': ['seen', 'the return addresses on the stack, and the debug information of the program'],
  'actors.descriptors': ['seen', '/proc/PID/fd; which client a connection is with, from ss'],
  'sockets.whose': ['derived', 'which processes have the inode of the socket open; without one, a connection that is open waits in the accept queue'],
  'sockets.state': ['seen', 'ss'],
  'sockets.accept': ['seen', 'ss'],
  'sockets.receive': ['seen', 'ss'],
  'sockets.send': ['seen', 'ss'],
  'interest.list': ['seen', 'epoll: /proc/PID/fdinfo; poll and select: the arguments of the call'],
  'interest.ready': ['derived', 'the queues and states of the sockets. The list of ready ones that epoll keeps is not shown by the kernel'],
  'rings.submission': ['seen', 'the memory that is shared with the kernel'],
  'rings.completion': ['seen', 'the same; an entry and its completion have the same user_data'],
  'rings.inFlight': ['derived', 'what was taken from the submission queue and has no completion yet'],
  'coroutines': ['seen', 'breakpoints at await_suspend, and where coroutines are resumed and destroyed'],
  'packets': ['seen', 'tcpdump'],
  'packets.kind': ['derived', 'the flags and numbers of the packets before'],
  'packets.states': ['derived', 'the packets up to this one (RFC 9293)'],
};

const ordinals = ['first', 'second', 'third'];

/** The sentence `choice` of a recording. `accepting` says of each client in its turn which thread has got it, 1 being the first. */
export function describeChoice(accepting) {
  const parts = accepting.map((thread, client) => `the ${ordinals[client]} client to the ${ordinals[thread - 1]} thread`);
  return `By a client's port the kernel chooses the listener, and with it the thread. Here it has given ${parts.join(', and ')}: one outcome of several`;
}

export const folder = 'docs/replay';
const pathOf = (root, name) => join(root, folder, `${withoutNumber(name)}.json`);

/** The names of the chapters (without numbers) that have a recording, in the order of the chapters. */
export function listRecordings(root) {
  if (!existsSync(join(root, folder))) return [];
  const names = new Set(readdirSync(join(root, folder)).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5)));
  return listChapters(root).map(withoutNumber).filter((name) => names.has(name));
}

/** The recording of a chapter, with all fields in each frame. Throws Problem where there is none, or where it is of another form. */
export function loadRecording(root, name) {
  const path = pathOf(root, name);
  if (!existsSync(path)) {
    throw new Problem(`there is no recording of ${withoutNumber(name)}; to make one here: ./learn replay ${withoutNumber(name)} --record`
      + ` (there are those of: ${listRecordings(root).join(', ') || 'no chapter'})`);
  }
  let recording;
  try {
    recording = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new Problem(`${path} is no JSON: ${error.message}`);
  }
  if (recording.format !== format) throw new Problem(`${path} is of the format ${recording.format}, and this tool knows ${format}: record it again`);
  return expand(recording);
}

/** Writes a recording, a line for each frame, and returns its path. */
export function saveRecording(root, recording) {
  const path = pathOf(root, recording.chapter);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, print(recording));
  return path;
}

export function print({ frames, code, ...rest }) {
  const list = (items) => `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]`;
  const head = Object.entries(rest).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)},\n`).join('');
  return `{\n${head}"code": ${list(code)},\n"frames": ${list(compact(frames))}\n}\n`;
}

/**
 * The recording without what differs from one recording to the next: ports, and acknowledgements that come alone, which the kernel
 * may delay or save. Everything else must be the same.
 */
export function normalise(recording) {
  const texts = JSON.stringify(recording)
    .replace(/htons\(\d+\)/g, 'htons(PORT)')
    .replace(/listening on ([^"]*?):\d+\\/g, 'listening on $1:PORT\\');
  const copy = JSON.parse(texts);
  for (const frame of copy.frames) frame.packets = frame.packets.filter(({ kind }) => kind !== 'ack' && kind !== 'again').map(normalisePacket);
  // The line that the server prints has as many bytes as its port has digits.
  for (const { event } of copy.frames) {
    if (event.call?.name === 'write' && event.text.includes('listening on')) {
      event.text = event.text.replace(/, \d+\) = \d+$/, ', LENGTH) = LENGTH');
      event.call.args[2] = event.call.result = 'LENGTH';
    }
  }
  return copy;
}

// Whether an acknowledgement comes alone or with data decides to which of two packets a state belongs; the states after a frame are laws' business.
const normalisePacket = ({ from, to, flags, length, kind }) => ({ from, to, flags, length, kind });

/** The first difference of two recordings in their normalised forms, in words; null where there is none. */
export function compare(old, fresh) {
  const [before, now] = [normalise(old), normalise(fresh)];
  for (const key of Object.keys({ ...before, ...now })) {
    if (key === 'frames' || JSON.stringify(before[key]) === JSON.stringify(now[key])) continue;
    return key === 'code' ? 'the code of a function in which something stands is another one' : `'${key}' was ${JSON.stringify(before[key])} and is ${JSON.stringify(now[key])}`;
  }
  for (let at = 0; at < Math.max(before.frames.length, now.frames.length); at += 1) {
    const [a, b] = [before.frames[at], now.frames[at]];
    if (JSON.stringify(a) === JSON.stringify(b)) continue;
    if (a === undefined || b === undefined) return `there were ${before.frames.length} frames and are ${now.frames.length}; the first that is too much or missing: ${(a ?? b).event.text}`;
    const key = Object.keys(a).find((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]));
    return `frame ${at}: '${key}' was\n  ${JSON.stringify(a[key])}\nand is\n  ${JSON.stringify(b[key])}`;
  }
  return null;
}

/** The text of a line of the code in a recording; null where the recording does not have it. */
export function findLine(recording, { file, line }) {
  const block = recording.code.find((part) => part.file === file && line >= part.first && line < part.first + part.lines.length);
  return block?.lines[line - block.first] ?? null;
}

/** What is wrong with the code in a recording, against the files of the tree: [words]. */
export function compareCode(root, chapter, recording) {
  return recording.code.flatMap(({ file, first, lines }) => {
    const path = file.startsWith('common/') ? join(root, file) : join(root, 'chapters', chapter, file);
    const now = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(first - 1, first - 1 + lines.length) : [];
    return now.join('\n') === lines.join('\n') ? [] : [`${file} has changed between the lines ${first} and ${first + lines.length - 1}`];
  });
}
