// A client for a person: what is typed is sent, a line at a time, and what comes back is printed.

import { LineClient, describeNews } from './lines.mjs';

/** Sends the lines of the input. Its end (Ctrl-D) closes the sending side. */
export async function talk(context) {
  const { story, dialogue } = context;
  const client = new LineClient(context);
  await client.connect();
  story.say();
  story.say('What you type is sent, a line at a time. Ctrl-D closes the sending side.');
  while (!client.connection.hasEnded && client.connection.error === null) {
    const line = await dialogue.ask('> ');
    if (line === null) break;
    const before = client.text.length;
    const isServed = await client.exchange(`${line}\n`);
    story.tell('received', describeNews(client.text.slice(before), isServed, client.connection.hasEnded));
    if (!isServed) await story.tellSides(client.connection);
  }
  await client.step('the client closes its sending side: its kernel sends FIN', () => client.connection.closeSendingSide());
  await client.receiveEnd('the client reads what is left');
  await client.close();
  return '';
}
