// A client whose every step is awaited.

import { EventEmitter, once } from 'node:events';
import { Socket } from 'node:net';
import { Problem } from './problem.mjs';
import { waitFor } from './waits.mjs';

/** One TCP connection to a server on this machine. Every wait ends, with a Problem at the worst. */
export class Client {
  #socket = new Socket({ allowHalfOpen: true });
  #name;
  #changed = new EventEmitter();
  #error = null;
  received = '';

  /** `name` stands in messages: "the second client". */
  constructor(scope, name = 'the client') {
    this.#name = name;
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text) => {
      this.received += text;
      this.#changed.emit('change');
    });
    this.#socket.on('error', (error) => {
      this.#error = error;
      this.#changed.emit('change');
    });
    for (const event of ['end', 'close']) this.#socket.on(event, () => this.#changed.emit('change'));
    scope.defer(() => this.#socket.destroy());
  }

  get port() {
    return this.#socket.localPort;
  }

  get isConnected() {
    return this.#socket.readyState === 'open';
  }

  /** Whether the end of the file has been found. */
  get isAtEnd() {
    return this.#socket.readableEnded;
  }

  /** From now on it closes as soon as it finds the end of the file. */
  closeAtEnd() {
    this.#socket.on('end', () => this.#socket.destroy());
  }

  /** Gives up: nothing is waited for any more. */
  abandon() {
    this.#socket.destroy();
  }

  async connect({ host, port }) {
    this.#socket.connect({ host, port });
    await this.#await('a connection', () => this.#socket.readyState === 'open', 'connect');
  }

  send(text) {
    this.#socket.write(text);
  }

  /** Waits until `text` has come back in full. */
  async receive(text) {
    await this.#await(`the echo of ${JSON.stringify(text)}`, () => this.received.length >= text.length || this.#socket.readableEnded);
    if (this.received !== text) {
      throw new Problem(`${this.#name} sent ${JSON.stringify(text)} and received ${JSON.stringify(this.received)}`);
    }
  }

  /** Sends FIN. The end of file that comes back is left for close() to receive. */
  async closeSendingSide() {
    this.#socket.pause();
    this.#socket.end();
    await this.#await('its sending side to close', () => this.#socket.writableFinished, 'finish');
  }

  async receiveEnd() {
    this.#socket.resume();
    await this.#await("the server's end of file", () => this.#socket.readableEnded, 'end');
    await this.close();
  }

  /** Ends the connection with RST instead of FIN. */
  async reset() {
    this.#socket.resetAndDestroy();
    await this.#await('its descriptor to close', () => this.#socket.closed, 'close');
  }

  async close() {
    this.#socket.destroy();
    await this.#await('its descriptor to close', () => this.#socket.closed, 'close');
  }

  async #await(what, isDone, event) {
    const wake = () => this.#changed.emit('change');
    if (event) this.#socket.once(event, wake);
    try {
      await waitFor(`${what} (${this.#name})`, this.#untilDone(what, isDone));
    } finally {
      if (event) this.#socket.off(event, wake);
    }
  }

  async #untilDone(what, isDone) {
    while (!isDone()) {
      if (this.#error) throw new Problem(`${this.#name} waited for ${what}: ${this.#error.message}`);
      if (this.#socket.closed) throw new Problem(`${this.#name} waited for ${what}, and the server closed the connection`);
      await once(this.#changed, 'change');
    }
  }
}
