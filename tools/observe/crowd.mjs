// Many clients of one server.

import { Client } from './client.mjs';
import { Problem } from './problem.mjs';
import { nameHost } from './socket-table.mjs';
import { becomesTrue } from './waits.mjs';

export const mostClients = 10_000;

const shortSilence = 200; // ms of quiet after which a client of ours is taken to wait its turn
const batch = 100; // clients that connect at a time: fewer than the shortest accept queue that is usual
const many = 500; // clients of which it is said that they take a moment

/**
 * Connects clients that send `greeting`, wait for its echo, and stay. A server may let some of them wait or turn them
 * away, and when its accept queue is full the kernel lets nobody else in. `server` is {address: {address, port},
 * waitForQuiet}. Returns {clients, connected, refused, left, reason}: those that have a connection, how many they are,
 * how many have lost theirs or got none, for how many there was no room, and why the first has none.
 */
export async function connectClients(scope, count, server, greeting = 'hello\n') {
  if (count >= many) process.stderr.write(`connecting ${count} clients ...\n`);
  const crowd = { clients: [], connected: 0, refused: 0, left: count };
  let answers = true; // Whether the server has answered one of the last batch.
  while (crowd.left > 0) {
    const size = Math.min(batch, crowd.left);
    const newcomers = await connectSome(scope, count - crowd.left, size, server, { answers, greeting });
    answers = newcomers.served + newcomers.refused > 0;
    crowd.clients.push(...newcomers.clients);
    crowd.connected += newcomers.connected;
    crowd.refused += newcomers.refused;
    crowd.reason ??= newcomers.reason;
    crowd.left -= newcomers.connected + newcomers.refused;
    if (newcomers.connected + newcomers.refused < size) break;
  }
  if (count > 0) await server.waitForQuiet(answers ? undefined : shortSilence);
  return crowd;
}

/**
 * Connects `count` clients, whose numbers follow `before`, in their order. Waits until each has had its echo, or only
 * until it is connected where nobody is served; at the longest until the server does no more.
 */
async function connectSome(scope, before, count, server, { answers, greeting }) {
  const address = { host: nameHost(server.address.address), port: server.address.port };
  const seen = { connected: 0, served: 0, refused: 0 };
  const clients = Array.from({ length: count }, (_, index) => new Client(scope, `client ${before + index + 1}`));
  let isOver = false;
  let reason;
  const visit = async (client) => {
    let isIn = false;
    try {
      await client.connect(address);
      isIn = true;
      seen.connected += 1;
      client.send(greeting);
      await client.receive(greeting);
      seen.served += 1;
    } catch (error) {
      if (isOver || !(error instanceof Problem)) return;
      seen.connected -= isIn ? 1 : 0;
      seen.refused += 1;
      reason ??= error.message;
    }
  };
  clients.forEach(visit);
  await waitUntilDone(() => (answers ? seen.served : seen.connected) + seen.refused >= count, () => JSON.stringify(seen), server);
  isOver = true;
  // Where the accept queue is full, the kernel would try again for a while.
  clients.filter((client) => !client.isConnected).forEach((client) => client.abandon());
  return { ...seen, reason, clients: clients.filter((client) => client.isConnected) };
}

/** Each client sends `text`; returns how many have had its echo when all have, or when the server does no more. */
export async function sendFromAll(clients, text, server) {
  const wanted = new Map(clients.map((client) => [client, client.received.length + text.length]));
  const countServed = () => clients.filter((client) => client.received.length >= wanted.get(client)).length;
  clients.filter((client) => client.isConnected).forEach((client) => client.send(text));
  await waitUntilDone(() => countServed() === clients.length, countServed, server);
  return countServed();
}

/** Waits until `isDone()`, or until the server is quiet and `describeProgress()` says the same as before. */
async function waitUntilDone(isDone, describeProgress, server) {
  let progress;
  do {
    progress = describeProgress();
    if (!(await becomesTrue(isDone, shortSilence))) await server.waitForQuiet(shortSilence);
  } while (!isDone() && progress !== describeProgress());
}
