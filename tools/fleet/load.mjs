#!/usr/bin/env node
// The clients of ./learn fleet: what they see of the servers is counted.
//
//   load.mjs HOST PORT VISITORS RESIDENTS READERS [AT-MOST-SECONDS]
//
// A visitor connects, has ten messages echoed, closes, and comes again. A resident stays, and says something ten times a
// second; where its connection is ended it connects again. A slow reader says all that it has to say at once, closes its
// sending side, and takes four seconds or more to read the echo. Each waits at most five seconds for anything. When all residents
// have had an echo, `ready` goes to stdout; when stdin ends, visitors and residents finish what they have begun, readers leave,
// and one line of JSON says what they have seen.

import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';

export const habits = { patience_ms: 5000, visitor_messages: 10, visitor_pause_ms: 20, resident_pause_ms: 100, message_bytes: 256, reader_bytes: 512 * 1024, reader_bytes_per_second: 128 * 1024 };
const pauseAfterFailure = 50; // ms: a client that was turned away does not hammer at the door

const readerInterval = 50; // ms between two reads of a slow reader

const makeTally = () => ({
  connections: 0, refused: 0, reset: 0, timed_out: 0, timed_out_half_closed: 0, cut_off: 0, ended: 0, messages: 0, bytes_sent: 0, bytes_not_echoed: 0, bytes_wrong: 0,
  longest_wait_ms: 0,
});

// One connection. `end` says how it has ended, once it has: 'eof', or the code of the error.
class Connection {
  #socket;
  #received = Buffer.alloc(0);
  #wake = () => {};
  isOpen = false;
  end;

  // With a pace it reads no more than so many bytes a second, and its kernel holds the server back.
  constructor(host, port, pace) {
    this.#socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    this.#socket.on('connect', () => { this.isOpen = true; this.#wake(); });
    if (pace === undefined) this.#socket.on('data', (bytes) => this.#receive(bytes));
    else this.#readSlowly(Math.ceil((pace * readerInterval) / 1000));
    this.#socket.on('end', () => { this.end ??= 'eof'; this.#wake(); });
    this.#socket.on('error', (error) => { this.end ??= error.code; this.#wake(); });
  }

  #receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    this.#wake();
  }

  #readSlowly(most) {
    const timer = setInterval(() => {
      const bytes = this.#socket.read(Math.min(most, this.#socket.readableLength) || undefined);
      if (bytes !== null) this.#receive(bytes);
    }, readerInterval);
    this.#socket.on('close', () => clearInterval(timer));
  }

  get length() { return this.#received.length; }

  write(bytes) { this.#socket.write(bytes); }

  halfClose() { this.#socket.end(); }

  destroy() {
    this.#socket.destroy();
    this.end ??= 'left';
    this.#wake();
  }

  take() {
    const bytes = this.#received;
    this.#received = Buffer.alloc(0);
    return bytes;
  }

  // Waits for `isDone()`; false when the connection has ended before, or the client's patience has.
  async until(isDone, milliseconds = habits.patience_ms) {
    let isOver = false;
    const timer = setTimeout(() => { isOver = true; this.#wake(); }, milliseconds);
    while (!isDone() && this.end === undefined && !isOver) await new Promise((resolve) => { this.#wake = resolve; });
    clearTimeout(timer);
    return isDone();
  }
}

class Crowd {
  tally = { visitors: makeTally(), residents: makeTally(), readers: makeTally() };
  #isStopping = false;
  #waitingForTheirFirst;
  #stopped;
  #stop;

  constructor(host, port, visitors, residents, readers) {
    Object.assign(this, { host, port });
    this.#stopped = new Promise((resolve) => { this.#stop = resolve; });
    this.#waitingForTheirFirst = residents;
    this.ready = new Promise((resolve) => { this.becomeReady = resolve; });
    if (residents === 0) this.becomeReady();
    this.finished = Promise.all([
      ...Array.from({ length: visitors }, (_, number) => this.#live(this.tally.visitors, (connection) => this.#visit(connection, `visitor ${number}`))),
      ...Array.from({ length: residents }, (_, number) => this.#live(this.tally.residents, (connection) => this.#reside(connection, `resident ${number}`))),
      ...Array.from({ length: readers }, () => this.#live(this.tally.readers, (connection) => this.#readSlowly(connection), habits.reader_bytes_per_second)),
    ]);
  }

  stop() {
    this.#isStopping = true;
    this.#stop();
  }

  #pause(milliseconds) {
    let timer;
    return Promise.race([this.#stopped, new Promise((resolve) => { timer = setTimeout(resolve, milliseconds); })]).finally(() => clearTimeout(timer));
  }

  async #live(tally, use, pace) {
    while (!this.#isStopping) {
      const connection = new Connection(this.host, this.port, pace);
      const isOpen = await this.#timed(tally, () => connection.until(() => connection.isOpen));
      if (isOpen) tally.connections++;
      else this.#note(tally, connection);
      const isWell = isOpen && await use(connection);
      connection.destroy();
      if (!isWell) await this.#pause(pauseAfterFailure);
    }
  }

  async #visit(connection, name) {
    const tally = this.tally.visitors;
    for (let count = 0; count < habits.visitor_messages; count++) {
      if (count > 0) await connection.until(() => this.#isStopping, habits.visitor_pause_ms);
      if (!(await this.#exchange(tally, connection, `${name}, message ${count}`))) return false;
    }
    return this.#leave(tally, connection);
  }

  async #reside(connection, name) {
    const tally = this.tally.residents;
    for (let count = 0; !this.#isStopping; count++) {
      if (!(await this.#exchange(tally, connection, `${name}, message ${count}`))) return false;
      if (count === 0 && --this.#waitingForTheirFirst === 0) this.becomeReady();
      // An end of file is noticed while nothing is said: that is the moment at which a server may end a client.
      await Promise.race([this.#stopped, connection.until(() => false, habits.resident_pause_ms)]);
    }
    return this.#leave(tally, connection);
  }

  async #readSlowly(connection) {
    const tally = this.tally.readers;
    const message = Buffer.alloc(habits.reader_bytes, 'all that a slow reader has to say, ');
    connection.write(message);
    connection.halfClose();
    // It has waited too long when nothing has come for as long as it is patient.
    let before = -1;
    while (!this.#isStopping && connection.end === undefined && connection.length > before) {
      before = connection.length;
      await Promise.race([this.#stopped, connection.until(() => connection.length > before)]);
    }
    if (this.#isStopping) return false;
    const echo = connection.take();
    tally.messages++;
    tally.bytes_sent += message.length;
    tally.bytes_not_echoed += Math.max(0, message.length - echo.length);
    tally.bytes_wrong += countWrong(echo, message);
    if (connection.end === 'eof' && echo.length >= message.length) return true;
    this.#note(tally, connection, { isHalfClosed: true });
    return false;
  }

  // Sends a message and waits for its echo; false when the connection is of no more use.
  async #exchange(tally, connection, words) {
    if (connection.end !== undefined) {
      if (connection.end === 'eof') tally.ended++; // All that was sent has come back, so nothing is lost.
      else this.#note(tally, connection);
      return false;
    }
    const message = Buffer.from(words.padEnd(habits.message_bytes, '.'));
    connection.write(message);
    tally.messages++;
    tally.bytes_sent += message.length;
    const isWhole = await this.#timed(tally, () => connection.until(() => connection.length >= message.length));
    const echo = connection.take();
    tally.bytes_not_echoed += Math.max(0, message.length - echo.length);
    tally.bytes_wrong += countWrong(echo, message);
    if (!isWhole) this.#note(tally, connection);
    return isWhole;
  }

  // Closes the sending side, and waits until the server does the same.
  async #leave(tally, connection) {
    connection.halfClose();
    await this.#timed(tally, () => connection.until(() => connection.end !== undefined));
    tally.bytes_wrong += connection.take().length; // Nothing was owed any more.
    if (connection.end === 'eof') return true;
    this.#note(tally, connection, { isHalfClosed: true });
    return false;
  }

  async #timed(tally, wait) {
    const started = performance.now();
    const result = await wait();
    tally.longest_wait_ms = Math.max(tally.longest_wait_ms, Math.round(performance.now() - started));
    return result;
  }

  #note(tally, { end }, { isHalfClosed = false } = {}) {
    if (end === undefined || end === 'ETIMEDOUT') {
      tally.timed_out++;
      if (isHalfClosed) tally.timed_out_half_closed++;
    } else if (end === 'eof') tally.cut_off++; // An echo was owed.
    else if (end === 'ECONNREFUSED') tally.refused++;
    else if (end === 'ECONNRESET' || end === 'EPIPE') tally.reset++;
    else throw new Error(`a connection ended with ${end}, which is not counted`);
  }
}

function countWrong(echo, message) {
  let wrong = Math.max(0, echo.length - message.length);
  for (let at = 0; at < Math.min(echo.length, message.length); at++) if (echo[at] !== message[at]) wrong++;
  return wrong;
}

// All kinds of clients together.
export function addTallies(tallies) {
  const sum = makeTally();
  for (const tally of tallies) {
    for (const key of Object.keys(sum)) sum[key] = key.startsWith('longest') ? Math.max(sum[key], tally[key]) : sum[key] + tally[key];
  }
  return sum;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [host, port, visitors, residents, readers, atMost = '120'] = process.argv.slice(2);
  const crowd = new Crowd(host, Number(port), Number(visitors), Number(residents), Number(readers));
  const timer = setTimeout(() => { process.stderr.write('the load has lasted too long\n'); process.exit(1); }, 1000 * Number(atMost));
  crowd.ready.then(() => process.stdout.write('ready\n'));
  await once(process.stdin.resume(), 'end');
  crowd.stop();
  await crowd.finished;
  clearTimeout(timer);
  process.stdout.write(`${JSON.stringify(crowd.tally)}\n`);
}
