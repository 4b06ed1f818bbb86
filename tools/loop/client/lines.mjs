// A client that sends lines and keeps what comes back: what the modes that talk in lines share.

import { Problem } from '../../observe/problem.mjs';
import { readSocketTable } from '../../observe/socket-table.mjs';
import { becomesTrue, patience, waitFor } from '../../observe/waits.mjs';
import { Connection, explainError } from './connection.mjs';
import { countStates, describeTimeWait, findEnds, formatCount } from './sides.mjs';
import { quote } from './story.mjs';

const moment = 1000; // ms that a packet needs at most to come to the other kernel of this machine
const silence = 1000; // ms that a server must be quiet before an echo counts as not coming

export class LineClient {
  #context;
  #bytes = [];
  #told = 0; // bytes of them that takeNews() has given
  connection;

  /** `context` is {scope, server, story}; `size` is how many bytes a read takes at most. */
  constructor(context, { size } = {}) {
    this.#context = context;
    context.client = this; // of which the end is told when something fails
    this.connection = new Connection(context.scope, { size, onBytes: (bytes) => this.#bytes.push(Buffer.from(bytes)) });
  }

  /** All that has been read so far. */
  get text() {
    return Buffer.concat(this.#bytes).toString();
  }

  /** What has been read since the last call. */
  takeNews() {
    const news = Buffer.concat(this.#bytes).subarray(this.#told);
    this.#told += news.length;
    return news.toString();
  }

  get hasNews() {
    return this.connection.received > this.#told;
  }

  /** Says what the client does now, lets it do that, and tells both sides. `act` may return what is to be told first. */
  async step(title, act) {
    const { port } = this.#context.server.address;
    this.#context.story.announce(title);
    const words = await act();
    // What the client has ended, the server's kernel knows in a moment: unless it has no room for what comes before.
    if (this.connection.isEnding) await becomesTrue(() => findEnds(this.connection.port, port).server?.state !== 'ESTABLISHED', moment);
    for (const [label, text] of words ?? []) this.#context.story.tell(label, text);
    return this.#context.story.tellSides(this.connection);
  }

  /** Throws a Problem where no connection comes about. */
  async connect() {
    const { server, story } = this.#context;
    await this.step('the client connects', async () => {
      const connected = this.connection.connect({ host: server.address.address, port: server.address.port });
      connected.catch(() => {}); // Until it is waited for below.
      try {
        if (await isQuiet(connected, silence)) this.#tellWaiting(story, server.address.port);
        await waitFor('a connection (the client)', connected, 2 * patience);
      } catch (error) {
        if (error instanceof Problem) throw error;
        throw new Problem(`the client has no connection: ${explainError(error)}`);
      }
    });
  }

  #tellWaiting(story, port) {
    const own = readSocketTable().filter(({ peer, state }) => peer.port === port && state === 'SYN_SENT');
    story.tell('client', `${countStates(own)}: no answer yet. Where the accept queue is full, the server's kernel drops the SYN, and `
      + "the client's kernel sends it again after 1, 3, 7 ... seconds");
  }

  /** Sends a text. Returns whether its echo comes: not when the server stays quiet without sending it. */
  async exchange(text) {
    const wanted = this.connection.received + Buffer.byteLength(text);
    this.connection.send(Buffer.from(text));
    return this.receive(wanted);
  }

  /** Whether `count` bytes have come in all: not when the server has ended, or stays quiet before. */
  async receive(count) {
    this.connection.startReading();
    const isOver = () => this.connection.received >= count || this.connection.hasEnded;
    const coming = this.connection.wait('its echo', isOver, 24 * 60 * 60 * 1000);
    coming.catch(() => {}); // Thrown below, unless the silence came first.
    await isQuiet(coming, silence, this.#context.server);
    return this.connection.received >= count;
  }

  /** A step: sends `text`, and tells what comes back. */
  async sendAndReceive(text) {
    let isServed;
    await this.step(`the client sends ${quote(text)}`, async () => {
      isServed = await this.exchange(text);
      this.connection.stopReading();
      return [['received', describeNews(this.takeNews(), isServed, this.connection.hasEnded)]];
    });
    return isServed;
  }

  /** The last step: closes the descriptor, and says how it ended. */
  async close(title = 'the client closes its descriptor') {
    this.tellEnd(await this.step(title, () => this.connection.close()));
  }

  /** Says how it ended, by the two `ends` that are left. */
  tellEnd(ends) {
    const { taken, received } = this.connection;
    const whose = this.#context.server.isLocal ? `; ${describeTimeWait(ends)}` : '';
    this.#context.story.say();
    this.#context.story.say(`the client sent ${formatCount(taken)} byte${taken === 1 ? '' : 's'} and received ${formatCount(received)}${whose}`);
  }

  /** The last step: reads to the end of file, tells what came before it, closes the descriptor, and says how it ended. */
  async receiveEnd() {
    this.tellEnd(await this.step('the client reads what is left, to the end of file, and closes its descriptor', async () => {
      this.connection.startReading();
      await this.connection.wait("the server's end of file", () => this.connection.hasEnded);
      await this.connection.close();
      const rest = this.takeNews();
      return [['received', rest === '' ? 'the end of file' : `${quote(rest)}, and the end of file`]];
    }));
  }
}

/** What has come, and whether it was all that was wanted. */
export function describeNews(text, isAll, hasEnded) {
  const words = text === '' ? 'nothing' : quote(text);
  if (hasEnded) return `${words}, and the end of file`;
  return isAll ? words : `${words}, and the server is quiet`;
}

/** Whether the server, or where none is given the clock, is quiet for `stretch` ms before `event` comes. Throws what `event` throws. */
async function isQuiet(event, stretch, server) {
  const timer = new AbortController();
  const quiet = server === undefined
    ? new Promise((resolve) => { setTimeout(resolve, stretch).unref(); })
    : untilQuiet(server, stretch, timer.signal);
  try {
    return await Promise.race([event.then(() => false), quiet.then(() => true)]);
  } finally {
    timer.abort();
  }
}

async function untilQuiet(server, stretch, signal) {
  const end = performance.now() + patience;
  while (!signal.aborted && !(await server.waitForQuiet(stretch)) && performance.now() < end) { /* It works on. */ }
}
