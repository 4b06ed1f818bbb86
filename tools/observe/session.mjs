// The sessions that trace and capture look at: what the clients do, step by step.

import { Client } from './client.mjs';

const greeting = 'hello\n';
const greetingInWords = JSON.stringify(greeting);
const silence = 1000; // ms that a server must be quiet before a client's echo counts as not coming

/**
 * One client: connects, sends a line, receives its echo, closes its sending side, receives the end of
 * file, closes.
 *
 * Each step goes through `step(title, act, progress)`, which runs `act` and waits until all has come to
 * rest; `progress` says what the connection has come to by then: {bytes, ended}, where the bytes
 * have gone each way; or {actor} where it is no client that acts.
 */
export async function runOneClient({ scope, server, step }) {
  const client = await exchangeGreeting(scope, server, step);
  await closeInTwoSteps(client, 'the client', step);
}

/** One client: connects, sends a line, receives its echo, and resets the connection. Steps as above. */
export async function runResettingClient({ scope, server, step }) {
  const client = await exchangeGreeting(scope, server, step);
  await step('the client resets the connection', () => client.reset(), { reset: true });
}

async function exchangeGreeting(scope, server, step) {
  const client = new Client(scope);
  await step('the client connects', () => client.connect(server), { bytes: 0 });
  await step(`the client sends ${greetingInWords} and receives its echo`, async (notes) => {
    notes.isEcho = true;
    client.send(greeting);
    await client.receive(greeting);
  }, { bytes: greeting.length });
  return client;
}

/**
 * Two clients: the first connects and stays silent, the second does what runOneClient()'s does. With a
 * server that serves one after the other, the second's echo comes when the first has closed.
 */
export async function runTwoClients({ scope, server, step, waitForQuiet }) {
  const first = new Client(scope, 'the first client');
  const second = new Client(scope, 'the second client');
  await step('the first client connects and stays silent', () => first.connect(server));
  await step('the second client connects', () => second.connect(server));
  let isServed = false;
  await step(`the second client sends ${greetingInWords}`, async (notes) => {
    second.send(greeting);
    isServed = await comesBeforeSilence(second, waitForQuiet);
    notes.isEcho = isServed;
    notes.titleEnd = isServed ? ' and receives its echo' : ', and no echo comes';
  });
  if (isServed) {
    await closeInTwoSteps(second, 'the second client', step);
    await step('the first client closes', () => first.close());
    return;
  }
  await step('the first client closes, and the second one receives its echo', async () => {
    await first.close();
    await second.receive(greeting);
  });
  await closeInTwoSteps(second, 'the second client', step);
}

/**
 * An upgrade: the first client has an echo, the server gets SIGHUP and starts its next version, which serves the second client. Then the first
 * one wants another echo: it has its connection still, or has found the end of the file, has closed, and connects again. Steps as above;
 * `server.signal(name)` sends a signal to the server.
 */
export async function runUpgrade({ scope, server, step, waitForQuiet }) {
  let first = new Client(scope, 'the first client');
  const second = new Client(scope, 'the second client');
  const exchange = (client) => async (notes) => {
    notes.isEcho = true;
    client.send(greeting);
    await client.receive(greeting);
  };
  await step('the first client connects', () => first.connect(server));
  await step(`the first client sends ${greetingInWords} and receives its echo`, exchange(first));
  await step('the operator sends SIGHUP to the server, and a client that finds the end of the file closes', async () => {
    first.closeAtEnd();
    server.signal('SIGHUP');
    await waitForQuiet(silence);
  }, { actor: 'operator' });
  await step('the second client connects', () => second.connect(server));
  await step(`the second client sends ${greetingInWords} and receives its echo`, exchange(second));
  if (first.isAtEnd) {
    first = new Client(scope, 'the first client');
    await step(`the first client connects again, sends ${greetingInWords} and receives its echo`, async (notes) => {
      await first.connect(server);
      await exchange(first)(notes);
    });
  } else {
    await step(`the first client sends ${greetingInWords} again and receives its echo`, async (notes) => {
      notes.isEcho = true;
      first.send(greeting);
      await first.receive(greeting.repeat(2));
    });
  }
  await step('the first client closes', () => first.close());
  await step('the second client closes', () => second.close());
}

async function closeInTwoSteps(client, name, step) {
  await step(`${name} closes its sending side`, () => client.closeSendingSide(), { bytes: greeting.length, ended: true });
  await step(`${name} receives the end of file and closes`, () => client.receiveEnd(), { bytes: greeting.length, ended: true });
}

/** Whether the echo of `greeting` comes; it does not when the server stays quiet without sending it. */
export async function comesBeforeSilence(client, waitForQuiet, text = greeting, stretch = silence) {
  const echo = client.receive(text).then(() => true);
  echo.catch(() => {}); // Thrown below, unless the silence came first: then nobody waits for it any more.
  return Promise.race([echo, waitForQuiet(stretch).then(() => client.received === text)]);
}
