// A client for a person: what is typed is sent, a line at a time, and what comes back is printed.

import { Problem } from '../../observe/problem.mjs';
import { explainError } from './connection.mjs';
import { LineClient, describeNews } from './lines.mjs';

/** Sends the lines of the input. Its end (Ctrl-D) closes the sending side. */
export async function talk(context) {
  const { story } = context;
  const client = new LineClient(context);
  await client.connect();
  story.say();
  story.say('What you type is sent, a line at a time. Ctrl-D closes the sending side.');
  while (!client.connection.hasEnded && client.connection.error === null) {
    const line = await nextLine(context, client);
    if (line === null) break;
    const isServed = await client.exchange(`${line}\n`);
    story.tell('received', describeNews(client.takeNews(), isServed, client.connection.hasEnded));
    if (!isServed) await story.tellSides(client.connection);
  }
  if (client.connection.error !== null) throw new Problem(explainError(client.connection.error));
  await client.step('the client closes its sending side: its kernel sends FIN', () => client.connection.closeSendingSide());
  await client.receiveEnd();
  return '';
}

/** The line that is typed next, null for none. What the server sends meanwhile is told as it comes. */
async function nextLine({ reader, story }, client) {
  const { connection } = client;
  while (true) {
    const line = await reader.next(connection.untilTrue(() => client.hasNews || connection.hasEnded || connection.error !== null));
    if (line !== undefined) return line;
    if (connection.error !== null) return null;
    story.tell('received', describeNews(client.takeNews(), true, connection.hasEnded));
    if (connection.hasEnded) return null;
  }
}
