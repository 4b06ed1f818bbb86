// The client's end of one connection, for a client that decides itself when it reads, and how much.

import { EventEmitter, once } from 'node:events';
import { Socket } from 'node:net';
import { Problem } from '../../observe/problem.mjs';
import { waitFor } from '../../observe/waits.mjs';

const room = 64 * 1024; // bytes that one read takes at most

export class Connection {
  #socket;
  #changed = new EventEmitter();
  #onBytes;
  #taken = null; // bytes, at the last look
  #isReading = false; // beyond the next read
  error = null; // what ended the connection, an Error of Node's
  received = 0; // bytes
  given = 0; // bytes that were given to send()
  port; // the client's own; stays known when the connection has gone

  /** `onBytes(bytes)` gets what each read brings, at most `size` bytes; they are its own only during the call. */
  constructor(scope, { onBytes, size = room }) {
    this.#changed.setMaxListeners(0);
    this.#onBytes = onBytes;
    // With a buffer of ours Node makes a read when we ask for one, and none ahead.
    const take = (count, buffer) => this.#take(buffer.subarray(0, count));
    this.#socket = new Socket({ allowHalfOpen: true, onread: { buffer: Buffer.alloc(size), callback: take } });
    this.#socket.pause();
    this.#socket.setNoDelay();
    this.#socket.on('error', (error) => { this.error ??= error; });
    for (const event of ['connect', 'error', 'drain', 'finish', 'end', 'close']) this.#socket.on(event, () => this.#changed.emit('change'));
    scope.defer(() => this.#socket.destroy());
  }

  #take(bytes) {
    this.received += bytes.length;
    this.#onBytes(bytes);
    this.#changed.emit('change');
    return this.#isReading;
  }

  /** Whether the server's end of file has been read. */
  get hasEnded() {
    return this.#socket.readableEnded;
  }

  /** Whether the client has its descriptor still. */
  get isOpen() {
    return !this.#socket.destroyed;
  }

  /** Whether the client has closed its sending side, or all of it. */
  get isEnding() {
    return this.#socket.writableEnded || this.#socket.destroyed;
  }

  /** How many bytes the kernel has taken of what was given to send(). */
  get taken() {
    // What the kernel had no room for waits in this process. Node's own timeouts go by the same number.
    const { _handle: handle, writableLength } = this.#socket;
    if (handle) this.#taken = this.given - (handle.writeQueueSize ?? writableLength);
    else if (this.#socket.writableFinished) this.#taken = this.given;
    return this.#taken ?? this.given;
  }

  /** Throws an Error of Node's. */
  async connect({ host, port }) {
    this.#socket.connect({ host, port });
    while (this.#socket.connecting && this.error === null) await once(this.#changed, 'change');
    if (this.error !== null) throw this.error;
    this.port = this.#socket.localPort;
  }

  /** Hands bytes to the kernel; `done` is called when it has taken them all. */
  send(bytes, done) {
    this.given += bytes.length;
    this.#socket.write(bytes, done);
  }

  /** Reads once, as soon as there is something. */
  readOnce() {
    this.#isReading = false;
    this.#socket.resume();
  }

  startReading() {
    this.#isReading = true;
    this.#socket.resume();
  }

  stopReading() {
    this.#isReading = false;
    this.#socket.pause();
  }

  /** Sends FIN, behind all that was sent. */
  async closeSendingSide() {
    this.#socket.end();
    await this.wait('its sending side to close', () => this.#socket.writableFinished);
  }

  /** Ends the connection with RST instead of FIN. */
  async reset() {
    this.#taken = this.taken; // the last look at what the kernel has
    this.#socket.resetAndDestroy();
    await this.#untilClosed();
  }

  async close() {
    this.#taken = this.taken;
    this.#socket.destroy();
    await this.#untilClosed();
  }

  async #untilClosed() {
    while (!this.#socket.closed) await once(this.#changed, 'change');
  }

  /** Waits until `isTrue()`, however long that takes. */
  async untilTrue(isTrue) {
    while (!isTrue()) await once(this.#changed, 'change');
  }

  /** Waits until `isDone()`, or throws a Problem: the server has ended the connection, or it takes too long. */
  async wait(what, isDone, limit) {
    const untilDone = async () => {
      while (!isDone()) {
        if (this.error !== null) throw new Problem(`the client waited for ${what}, and ${explainError(this.error)}`);
        if (this.#socket.closed) throw new Problem(`the client waited for ${what}, and the connection is closed`);
        await once(this.#changed, 'change');
      }
    };
    await waitFor(`${what} (the client)`, untilDone(), limit);
  }
}

const errors = {
  ECONNREFUSED: 'the connection is refused (ECONNREFUSED)',
  ECONNRESET: 'the server has reset the connection (ECONNRESET)',
  EPIPE: 'the server has ended the connection (EPIPE)',
  ETIMEDOUT: 'no answer came in time (ETIMEDOUT)',
  EMFILE: 'this process has no descriptor left (EMFILE)',
  ENETUNREACH: 'no network leads there (ENETUNREACH)',
  EHOSTUNREACH: 'no way leads there (EHOSTUNREACH)',
  EADDRNOTAVAIL: 'this machine has no such address, or no free port (EADDRNOTAVAIL)',
};

/** What an Error of a socket means, as a clause. */
export const explainError = (error) => errors[error.code] ?? error.message;
