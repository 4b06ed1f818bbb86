// A client that sends without end and does not read: where its bytes get stuck, and how they flow again.

import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../observe/problem.mjs';
import { becomesTrue } from '../../observe/waits.mjs';
import { Connection, explainError } from './connection.mjs';
import { LineClient } from './lines.mjs';
import { findEnds, formatCount } from './sides.mjs';

const block = 64 * 1024; // bytes that are sent at once
const mostBytes = 128 * 2 ** 20; // that a server may take before it counts as one that takes everything
const stillness = 400; // ms without a change after which nothing moves
const longestSilence = 10 * 60 * 1000; // ms that a reader may think
const parts = 4; // of the reading that are told

/** Sends until nothing moves, waits for Enter, and reads all of it. */
export async function stall(context) {
  const { scope, story, server } = context;
  const pattern = new Pattern();
  const client = new LineClient(context);
  const connection = new Connection(scope, { onBytes: (bytes) => pattern.check(bytes) });
  client.connection = connection;
  await client.connect();
  await client.step('the client sends and does not read, until nothing moves', async () => {
    await pour(connection, pattern, server);
    return [['sent', describeSent(connection)]];
  });
  if (connection.error !== null) return beEnded(client, story);
  tellPlaces(story, connection, server);
  story.say();
  const answer = await waitForReader(context, connection);
  if (connection.error !== null) return beEnded(client, story);
  if (answer === 'leave') return leave(client);
  story.announce('the client reads');
  await drain(connection, story, server);
  await client.step('the client has read everything, and closes its sending side', () => connection.closeSendingSide());
  await client.receiveEnd();
  return pattern.wrongAt === null ? '' : `byte ${formatCount(pattern.wrongAt)} of what came back is another one than was sent`;
}

/** Bytes of which each tells by its value where in the stream it belongs, nearly. */
class Pattern {
  #bytes = Buffer.from(Array.from({ length: 251 + block }, (_, index) => index % 251)); // 251 is a prime
  #checked = 0;
  wrongAt = null; // the first byte that is another one

  at(offset, length) {
    const begin = offset % 251;
    return this.#bytes.subarray(begin, begin + length);
  }

  check(bytes) {
    if (this.wrongAt === null && !bytes.equals(this.at(this.#checked, bytes.length))) {
      const expected = this.at(this.#checked, bytes.length);
      this.wrongAt = this.#checked + bytes.findIndex((byte, index) => byte !== expected[index]);
    }
    this.#checked += bytes.length;
  }
}

/** Sends a block when the kernel has taken the one before, until neither it nor any queue moves. */
async function pour(connection, pattern, server) {
  let isStuck = false;
  const sendNext = () => {
    if (!isStuck && connection.error === null && connection.given < mostBytes) connection.send(pattern.at(connection.given, block), sendNext);
  };
  sendNext();
  let before;
  let since = performance.now();
  await becomesTrue(() => {
    const now = JSON.stringify([connection.taken, findEnds(connection.port, server.address.port)]);
    if (now !== before) since = performance.now();
    before = now;
    return connection.error !== null || performance.now() - since >= stillness;
  }, 60_000, 20);
  isStuck = true;
  if (connection.given >= mostBytes && connection.taken === connection.given) {
    throw new Problem(`the server has taken ${formatCount(mostBytes)} bytes of a client that does not read, and would take more: it keeps them in memory`);
  }
}

function describeSent(connection) {
  const held = connection.given - connection.taken;
  return `${formatCount(connection.taken)} bytes that its kernel has taken${held > 0 ? `; for ${formatCount(held)} more it has no room` : ''}`;
}

/** Where the bytes are that the kernel has taken and the client has not read. */
function listPlaces(connection, { client, server }) {
  const queues = [
    ["the client's send queue", client?.toSend],
    ["the server's receive queue", server?.toRead],
    ["the server's process, which has read them and not sent them", null],
    ["the server's send queue", server?.toSend],
    ["the client's receive queue", client?.toRead],
  ];
  const known = queues.reduce((sum, [, count]) => sum + (count ?? 0), 0);
  const held = connection.taken - connection.received - known;
  return queues.map(([place, count]) => [place, count === null ? Math.max(0, held) : count ?? 0]);
}

function tellPlaces(story, connection, server) {
  const ends = findEnds(connection.port, server.address.port);
  story.say();
  if (!server.isLocal) return story.say(`of them ${formatCount(ends.client?.toSend ?? 0)} are still in the client's send queue`);
  story.say('where they are, in the order of their way:');
  const places = listPlaces(connection, ends);
  const width = Math.max(...places.map(([, count]) => formatCount(count).length));
  for (const [place, count] of places) story.say(`  ${formatCount(count).padStart(width)}  ${place}`);
}

/** 'read' when Enter, the end of the input or the time says so, 'leave' for a q; also when the server ends the connection first. */
async function waitForReader({ story, reader }, connection) {
  story.say('Enter: the client begins to read. q and Enter: it leaves, with all of this unread.');
  const timer = new AbortController();
  const tooLate = sleep(longestSilence, '', { signal: timer.signal });
  const failed = connection.untilTrue(() => connection.error !== null);
  try {
    const word = await reader.next(Promise.race([tooLate, failed]));
    return /^q/i.test(word ?? '') ? 'leave' : 'read';
  } finally {
    timer.abort();
  }
}

/** Some servers have no patience with such a client. */
async function beEnded(client, story) {
  story.announce('the client has not begun to read');
  story.tell('connection', explainError(client.connection.error));
  client.tellEnd(await story.tellSides(client.connection));
  return '';
}

async function leave(client) {
  await client.close('the client closes its descriptor with bytes unread: its kernel sends RST');
  return '';
}

/** Reads what is still to come, and tells at every fourth part of it where the rest is. */
async function drain(connection, story, server) {
  const all = connection.given;
  for (let part = 1; part <= parts; part += 1) {
    const goal = part === parts ? all : Math.floor((all * part) / parts);
    connection.startReading();
    await connection.wait(`byte ${formatCount(goal)} of ${formatCount(all)}`, () => connection.received >= goal);
    if (part < parts) connection.stopReading();
    const { client, server: other } = findEnds(connection.port, server.address.port);
    story.tell('received', `${formatCount(connection.received)} of ${formatCount(all)} bytes. Client: ${formatCount(client?.toRead ?? 0)} to read, `
      + `${formatCount(client?.toSend ?? 0)} to send${server.isLocal ? `. Server: ${formatCount(other?.toRead ?? 0)} to read, ${formatCount(other?.toSend ?? 0)} to send` : ''}`);
  }
}
