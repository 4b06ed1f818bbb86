// Records a session with a chapter's server, moment by moment.
//
// The tracer holds each thread at each of its system calls. Of those that are held one is let go at a time, and goes on until it is held
// again or sleeps in the kernel; only when nothing moves any more is a moment looked at. So each moment is one that the kernel
// has really been in, and two recordings have the same moments, however long anything takes on a loaded machine. (Only an acknowledgement that has not
// come after half a second is not waited for any longer.)

import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../observe/problem.mjs';
import { readStatus } from '../../observe/proc.mjs';
import { traceSessions } from '../../observe/record-trace.mjs';
import { selectItems } from '../../observe/selection.mjs';
import { isBirth } from '../../observe/syscalls.mjs';
import { patience, waitFor } from '../../observe/waits.mjs';
import { Coroutines } from './coroutines.mjs';
import { decodeArguments, decodeResult, describeInfo, nameSignal, readPollList, readSelectLists } from './decode.mjs';
import { Memory } from './memory.mjs';
import { PacketRecorder } from './packets.mjs';
import { Ring } from './ring.mjs';
import { Observer, readInterestList, readState } from './snapshot.mjs';
import { tellRecording } from './tell.mjs';
import { Tracer } from './tracer.mjs';

const stableLooks = 3; // how often a sleeping thread is found unchanged before it counts as asleep
const lookInterval = 3; // ms between them
const mostTurns = 400; // moments in a step: beyond, a server repeats itself for ever
// What a program calls when it has read its options, and has all its libraries.
const firstCalls = new Set(['socket', 'getsockopt']);
const enterRegisteredRing = 16n; // IORING_ENTER_REGISTERED_RING
const spinningTurns = 3; // of a server that finds nothing to do and does not sleep, so many rounds are kept

/** The kernel has given a client to another thread than the one that was wanted. */
export class OtherChoice extends Problem {}

/**
 * Records `session` (see observe/record-trace.mjs) with the server of the chapter `name` (03-fork): a recording as recording.mjs describes
 * it. `tracer` and `executable` are programs; where `packets` is false, none are captured and their fields are empty. `accepting`, or null, says
 * of each client in its turn which of the server's threads is to accept it, 1 being the first that was made: throws OtherChoice where
 * another one does.
 */
export async function record(scope, { root, name, tracer, executable, session = 'two', serverOptions = [], accepting = null, packets = true }) {
  const recorder = new Recorder(scope, { root, name, accepting });
  await recorder.run({ tracer, executable, session, serverOptions, packets });
  return tellRecording({ ...recorder.material, session, serverOptions, accepting });
}

class Recorder {
  #scope;
  #root;
  #name;
  #tracer;
  #threads = new Map(); // id to {id, process, held: the event or null, item, stack, interest, isGone}
  #order = []; // ids, in the order of their births
  #known = new Set(); // ids, also of those that have ended
  #current = null;
  #items = [];
  #moments = [];
  #steps = [];
  #observer = new Observer();
  #packets = null;
  #coroutines = new Coroutines();
  #watched = new Set(); // processes of which coroutines are told
  #accepting;
  #rings = [];
  #mappings = new Set();
  #wake = () => {};
  #quietWaiters = [];
  #news = 0; // counts what the tracer has told

  constructor(scope, { root, name, accepting }) {
    this.#accepting = accepting;
    this.#scope = scope;
    this.#root = root;
    this.#name = name;
  }

  async run({ tracer, executable, session, serverOptions, packets }) {
    this.#tracer = new Tracer(this.#scope, tracer, [executable, '--port', '0', ...serverOptions], (event) => this.#take(event));
    let hasEnded = false;
    this.#tracer.ended.then(() => {
      hasEnded = true;
      this.#wake();
    });
    this.#hasEnded = () => hasEnded;
    this.#steps.push({ title: 'the server starts' });
    await this.#untilFirst();
    await this.#runUntilQuiet();
    const line = await waitFor("the server's line 'listening on ADDRESS:PORT'", this.#tracer.readLine());
    const [, host, port] = /^listening on (.+):(\d+)$/.exec(line) ?? [];
    if (port === undefined) throw new Problem(`the server should say 'listening on ADDRESS:PORT', and said '${line}'`);
    if (packets) this.#packets = await PacketRecorder.start(this.#scope, Number(port));
    await traceSessions[session][1]({
      scope: this.#scope,
      server: { host, port: Number(port), signal: (signal) => process.kill(this.#order[0], signal) },
      step: (title, act, progress) => this.#step(title, act, progress?.actor),
      waitForQuiet: () => this.#waitForQuiet(),
    });
    await this.#tracer.stop();
  }

  #hasEnded = () => false;

  // --- Events of the tracer ---

  #take(event) {
    this.#news += 1;
    takers[event.kind]?.(this, event);
    this.#wake();
  }

  takeBirth({ thread, process: process_, stack = [] }) {
    this.#threads.set(thread, { id: thread, process: process_, held: { kind: 'born' }, item: null, stack: this.#placesOf(stack), interest: null });
    this.#order.push(thread);
    this.#known.add(thread);
  }

  takeStop(event) {
    const thread = this.#threads.get(event.thread);
    if (event.stack !== undefined) thread.stack = this.#placesOf(event.stack);
    thread.held = event;
  }

  takeWait(event) {
    this.#threads.get(event.thread).stack = this.#placesOf(event.stack);
  }

  takeEnd(event) {
    this.#threads.get(event.thread).held = event;
  }

  takeCoroutine(event) {
    this.#coroutines.take(event, (place) => this.#placesOf([place])[0] ?? null);
  }

  /** Of a stack, the places in the chapter's folder, and those of common/ that it has called, inner ones first. */
  #placesOf(stack) {
    const places = stack.flatMap(({ file, line, function: name }) => {
      const path = file === '' ? '..' : relative(this.#root, file);
      const chapter = `chapters/${this.#name}/`;
      if (path.startsWith(chapter)) return [{ file: path.slice(chapter.length), line, function: name }];
      return path.startsWith('common/') ? [{ file: path, line, function: name }] : [];
    });
    // Who has called main's lambda is the same for all.
    const last = places.findLastIndex(({ file }) => !file.startsWith('common/'));
    return last === -1 ? places : places.slice(0, last + 1);
  }

  // --- One thread at a time ---

  async #untilFirst() {
    await waitFor('the server to start', this.#until(() => this.#threads.size > 0 || this.#hasEnded()));
    if (this.#threads.size === 0) throw new Problem(`the server cannot be traced: ${this.#tracer.complaints}`);
  }

  async #until(condition) {
    while (!condition()) await new Promise((resolve) => { this.#wake = resolve; });
  }

  #listHeld() {
    return this.#order.filter((id) => this.#threads.get(id)?.held);
  }

  /**
   * Waits until each thread is held, or asleep. One that has been let go counts as asleep when some looks have found it so and
   * unchanged: a thread may sleep for a moment on its way through the kernel. Throws Problem where one runs for ever.
   */
  async #untilStill() {
    const end = performance.now() + patience;
    while (performance.now() < end) {
      let isStill = true;
      for (const thread of this.#threads.values()) isStill = this.#lookAt(thread) && isStill;
      if (isStill && !this.#awaitsBirth()) return;
      await Promise.race([sleep(lookInterval), new Promise((resolve) => { this.#wake = resolve; })]);
    }
    throw new Problem(`a thread of the server makes no call and does not sleep, in the step '${this.#steps.at(-1).title}': waited ${patience / 1000} s for it`);
  }

  /** Whether the thread is held or asleep. */
  #lookAt(thread) {
    if (thread.held) {
      thread.looks = 0;
      return true;
    }
    const state = readState(thread.process, thread.id);
    const sleeps = state === 'asleep' || (state === 'waiting' && thread.item !== null && isBirth(thread.item));
    const picture = sleeps ? readStatus(thread.process, thread.id, 'voluntary_ctxt_switches') : null;
    thread.looks = picture !== null && picture === thread.picture ? thread.looks + 1 : 0;
    thread.picture = picture;
    return thread.looks >= stableLooks;
  }

  /** Whether a call has made a process or thread that the tracer has not told of yet. */
  #awaitsBirth() {
    return [...this.#threads.values()].some(({ held, item }) => held?.kind === 'exit' && item !== null && isBirth(item)
      && Number(held.result) > 0 && !this.#known.has(Number(held.result)));
  }

  /** Lets threads go, one after the other, until all sleep, and returns true; or until they only repeat themselves, and returns false. */
  async #runUntilQuiet() {
    const first = this.#moments.length;
    for (;;) {
      await this.#untilStill();
      if (this.#hasEnded() || this.#threads.size === 0) {
        await this.#tracer.ended;
        throw new Problem(`the server has ended in the step '${this.#steps.at(-1).title}'. ${this.#tracer.complaints}`.trim());
      }
      const held = this.#listHeld();
      if (held.length === 0) return true;
      if (this.#moments.length - first > mostTurns) throw new Problem(`the server did not come to rest in the step '${this.#steps.at(-1).title}'`);
      if (this.#spins(first)) return false;
      const next = held.includes(this.#current) ? this.#current : held[0];
      this.#current = next;
      await this.#advance(this.#threads.get(next));
    }
  }

  /** Whether the last rounds of the only thread that moves were equal, and found nothing to do. */
  #spins(first) {
    const since = this.#moments.slice(first).filter(({ kind }) => kind === 'call').map(({ item }) => `${item.pid} ${item.name} ${item.result}`);
    for (let length = 1; length <= 4; length += 1) {
      const rounds = Array.from({ length: spinningTurns }, (_, at) => since.slice(since.length - length * (at + 1), since.length - length * at).join('\n'));
      if (since.length >= length * spinningTurns && new Set(rounds).size === 1 && rounds[0].split('\n').every((line) => /EAGAIN|= 0|Timeout/.test(line))) return true;
    }
    return false;
  }

  /** Notes what the thread is held for, and lets it go. */
  async #advance(thread) {
    const event = thread.held; 
    await noters[event.kind](this, thread, event);
    thread.held = null;
    thread.looks = 0;
    if (event.kind === 'ended') {
      this.#threads.delete(thread.id);
      return;
    }
    this.#tracer.go(thread.id);
    const isInCall = event.kind === 'entry';
    await this.#untilStill();
    if (isInCall && thread.held === null && this.#threads.has(thread.id) && thread.item !== null && this.#isKept(thread.item)) {
      await this.#addMoment('sleep', thread.item);
    }
  }

  async noteEntry(thread, event) {
    const numbers = event.arguments.split(' ').map(BigInt);
    const memory = new Memory(this.#tracer, thread.process);
    const notes = new Map();
    const item = {
      kind: 'call', pid: thread.id, name: event.call, args: await decodeArguments(event.call, numbers, null, memory, notes), result: null, begin: this.#moments.length, end: Infinity,
    };
    Object.assign(thread, { item, numbers, notes });
    this.#items.push(item);
    if (['poll', 'ppoll'].includes(event.call)) thread.interest = { kind: 'poll', list: (await readPollList(memory, numbers[0], numbers[1])).map(({ fd, events }) => ({ fd, events })) };
    if (['select', 'pselect6'].includes(event.call)) thread.interest = { kind: 'select', list: await readSelectLists(memory, numbers) };
    if (firstCalls.has(event.call) && !this.#watched.has(thread.process)) {
      this.#watched.add(thread.process);
      if (existsSync(join(this.#root, 'chapters', this.#name, 'runtime'))) this.#tracer.watchCoroutines(thread.process);
    }
    if (/^exit/.test(event.call)) {
      item.result = '?';
      item.end = this.#moments.length;
      await this.#addMoment('call', item);
    } else if (event.call === 'io_uring_enter' && this.#findRing(thread, numbers) !== undefined) {
      await this.#addMoment('enter', item);
    }
  }

  /** The ring of an io_uring_enter, which names it by its descriptor or, where that is registered, by a number that the thread alone knows. */
  #findRing(thread, [number, , , flags]) {
    const isRegistered = (flags & enterRegisteredRing) !== 0n;
    return this.#rings.find((ring) => (isRegistered ? ring.thread === thread.id : ring.process === thread.process && ring.fd === Number(number)));
  }

  /** The program of a process is gone, and with it what it had in its memory. */
  #forgetProgram(process_) {
    this.#watched.delete(process_);
    this.#coroutines.forget(process_);
    this.#rings = this.#rings.filter((ring) => ring.process !== process_);
  }

  async noteExit(thread, event) {
    const { item, numbers, notes } = thread;
    if (item === null) return; // execve, whose beginning was before us
    const memory = new Memory(this.#tracer, thread.process);
    const result = BigInt(event.result);
    // Where a program has taken the place of another one, what its arguments pointed to is gone.
    if (!/^exec/.test(event.call) || result < 0n) item.args = await decodeArguments(event.call, numbers, result, memory, notes);
    item.result = await decodeResult(event.call, numbers, result, memory);
    item.end = this.#moments.length;
    thread.item = null;
    if (/^exec/.test(event.call) && result === 0n) this.#forgetProgram(thread.process);
    if (event.call === 'io_uring_setup' && result >= 0n) {
      const ring = new Ring(thread, Number(result), memory, this.#mappings);
      await ring.readParameters(numbers[1]);
      this.#rings.push(ring);
    }
    if (this.#isKept(item)) await this.#addMoment('call', item);
    if (!/^(p?poll|p?select6?)$/.test(event.call)) return;
    thread.interest = null;
  }

  async noteSignal(thread, { signal, code, sender, status, fd, band }) {
    const item = { kind: 'signal', pid: thread.id, signal: nameSignal(signal), info: describeInfo(signal, code, sender, status, fd, band), begin: this.#moments.length, end: this.#moments.length };
    this.#items.push(item);
    await this.#addMoment('signal', item);
  }

  async noteEnd(thread, { status, killed_by: signal }) {
    const item = {
      pid: thread.id, begin: this.#moments.length, end: this.#moments.length,
      ...(signal === undefined ? { kind: 'exited', status } : { kind: 'killed', signal: nameSignal(signal) }),
    };
    this.#items.push(item);
    thread.isGone = true;
    if (thread.id === thread.process) this.#forgetProgram(thread.process);
    await this.#addMoment('end', item);
  }

  #isKept(item) {
    return selectItems(this.#items).includes(item);
  }

  // --- Steps ---

  /** Who acts is a client, or `actor`. */
  async #step(title, act, actor = 'client') {
    this.#steps.push({ title });
    const clientsBefore = this.#observer.clientCount;
    const notes = {}; // What they say of the outcome, the frames show.
    let finished = null;
    const acting = act(notes).then(() => ({}), (error) => ({ error }));
    acting.then((outcome) => {
      finished = outcome;
      this.#wake();
    });
    for (const thread of this.#threads.values()) thread.looks = 0; // It may be about to wake.
    await this.#addMoment(actor, null);
    for (;;) {
      const sleeps = await this.#runUntilQuiet();
      if (finished !== null) break;
      // The client waits, and the server does nothing: what is still on its way has come when this turn is over.
      await this.#observer.settle(this.#listProcesses());
      if (finished !== null || (sleeps && this.#listHeld().length > 0)) continue;
      const waiters = this.#quietWaiters.splice(0);
      waiters.forEach((tell) => tell(true));
      if (waiters.length > 0) await sleep(0);
      else if (!sleeps) throw new Problem(`in the step '${title}' the server goes round and round, and does not do what the client waits for`);
      else await waitFor(`the end of the step '${title}'`, this.#until(() => finished !== null || this.#listHeld().length > 0), patience);
    }
    if (finished.error) throw finished.error;
    await this.#runUntilQuiet();
    if (this.#observer.clientCount > clientsBefore) this.#demandChoice(clientsBefore);
  }

  /** Throws OtherChoice where it was another thread than the wanted one that woke for the client that has come in this step. */
  #demandChoice(client) {
    const wanted = this.#accepting?.[client];
    if (wanted === undefined) return;
    const step = this.#steps.length - 1;
    const first = this.#moments.find((moment) => moment.step === step && moment.item !== null)?.item.pid;
    const thread = this.#order.indexOf(first); // 0 is the one with which the server has begun
    if (thread !== wanted) throw new OtherChoice(`thread ${thread} of the server has got client ${client + 1}, and not thread ${wanted}`);
  }

  #waitForQuiet() {
    return new Promise((resolve) => {
      this.#quietWaiters.push(resolve);
      this.#wake();
    });
  }

  // --- Moments ---

  #listProcesses() {
    return [...new Set([...this.#threads.values()].filter(({ isGone }) => !isGone).map(({ process: process_ }) => process_))];
  }

  async #addMoment(kind, item) {
    const rows = await this.#settle();
    const rings = [];
    for (const ring of this.#rings) {
      const contents = await ring.look();
      if (contents !== null) rings.push({ process: ring.process, fd: ring.fd, ...contents });
    }
    this.#moments.push({
      kind,
      item,
      step: this.#steps.length - 1,
      actors: this.#describeActors(rows),
      rows,
      rings,
      coroutines: this.#coroutines.list(),
      packets: this.#packets === null ? [] : await this.#packets.take(),
    });
  }

  /** The sockets, at a moment when they do not change and no thread moves. */
  async #settle() {
    for (;;) {
      await this.#untilStill();
      const news = this.#news;
      const rows = await this.#observer.settle(this.#listProcesses());
      const moves = [...this.#threads.values()].some((thread) => !thread.held && ['running', 'waiting'].includes(readState(thread.process, thread.id)) && !this.#lookAt(thread));
      if (!moves && news === this.#news) return rows;
    }
  }

  #describeActors(rows) {
    const described = new Set(); // processes: threads share their descriptors
    return this.#order.map((id) => this.#threads.get(id)).filter((thread) => thread !== undefined).map((thread) => {
      const descriptors = described.has(thread.process) || thread.isGone ? null : this.#observer.listDescriptors(thread.process, rows);
      described.add(thread.process);
      const state = readState(thread.process, thread.id) ?? 'ended';
      return {
        id: thread.id,
        process: thread.process,
        state: thread.isGone ? (state === 'zombie' ? 'zombie' : 'ended') : thread.held ? 'held' : state === 'waiting' ? 'asleep' : state,
        item: thread.item,
        // The call as it was begun: its arguments get what it has filled in later.
        call: thread.item === null ? null : { ...thread.item },
        stack: thread.isGone ? [] : thread.stack,
        descriptors,
        epolls: (descriptors ?? []).filter(({ what }) => what === 'eventpoll').map(({ number }) => ({ fd: number, list: readInterestList(thread.process, number) })),
        interest: thread.interest,
      };
    });
  }

  /** What tellRecording() makes a recording of. */
  get material() {
    return {
      root: this.#root, name: this.#name, items: this.#items, moments: this.#moments, steps: this.#steps.map(({ title }) => title), observer: this.#observer,
      hasPackets: this.#packets !== null,
    };
  }
}

const takers = {
  born: (recorder, event) => recorder.takeBirth(event),
  entry: (recorder, event) => recorder.takeStop(event),
  exit: (recorder, event) => recorder.takeStop(event),
  waits: (recorder, event) => recorder.takeWait(event),
  woken: (recorder, event) => recorder.takeStop(event),
  signal: (recorder, event) => recorder.takeStop(event),
  ended: (recorder, event) => recorder.takeEnd(event),
  suspend: (recorder, event) => recorder.takeCoroutine(event),
  resume: (recorder, event) => recorder.takeCoroutine(event),
  destroy: (recorder, event) => recorder.takeCoroutine(event),
};

const noters = {
  born: () => {},
  woken: () => {},
  entry: (recorder, thread, event) => recorder.noteEntry(thread, event),
  exit: (recorder, thread, event) => recorder.noteExit(thread, event),
  signal: (recorder, thread, event) => recorder.noteSignal(thread, event),
  ended: (recorder, thread, event) => recorder.noteEnd(thread, event),
};
