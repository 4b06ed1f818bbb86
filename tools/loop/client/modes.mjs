// The difficult clients that talk in lines.

import { becomesTrue } from '../../observe/waits.mjs';
import { LineClient } from './lines.mjs';
import { findEnds, formatCount } from './sides.mjs';
import { quote } from './story.mjs';

const lastLine = 'bye\n';
const shownBytes = 12; // of a line that is sent a byte at a time
const byteWait = 1000; // ms for the echo of a byte

/** Sends a line, and closes when its echo has come. */
export async function sendLine(context) {
  const client = new LineClient(context);
  await client.connect();
  const isServed = await client.sendAndReceive(context.line);
  await client.close('the client closes its descriptor: its kernel sends FIN');
  if (!isServed) return 'the line has not come back';
  return '';
}

/** Closes its sending side, and still receives what is on its way. */
export async function halfClose(context) {
  const client = new LineClient(context);
  await client.connect();
  await client.sendAndReceive(context.line);
  await client.step(`the client sends ${quote(lastLine)}, closes its sending side (shutdown: its kernel sends FIN), and reads nothing yet`, async () => {
    client.connection.send(Buffer.from(lastLine));
    await client.connection.closeSendingSide();
  });
  await client.receiveEnd();
  return compare(client.text, context.line + lastLine);
}

/** Ends its connection with RST. */
export async function reset(context) {
  const client = new LineClient(context);
  await client.connect();
  await client.sendAndReceive(context.line);
  client.tellEnd(await client.step('the client resets the connection: its kernel sends RST', () => client.connection.reset()));
  return '';
}

/** Sends a line a byte at a time, and then reads a byte at a time. */
export async function creep(context) {
  const { story, server, line } = context;
  const client = new LineClient(context, { size: 1 });
  const bytes = Buffer.from(line);
  await client.connect();
  await client.step(`the client sends ${quote(line)} a byte at a time, and reads nothing yet`, async () => {
    let answers = true; // Whether the last byte has come back.
    for (let count = 1; count <= bytes.length; count += 1) {
      client.connection.send(bytes.subarray(count - 1, count));
      const hasCome = () => (findEnds(client.connection.port, server.address.port).client?.toRead ?? count) >= count;
      await server.waitForQuiet();
      answers = await becomesTrue(hasCome, answers ? byteWait : 0);
      tellByte(story, ['sent', quoteByte(bytes[count - 1])], count, bytes.length, countWaiting(client, server));
    }
  });
  await client.step('the client reads a byte at a time', async () => {
    const count = countWaiting(client, server);
    for (let read = 1; read <= count; read += 1) {
      client.connection.readOnce();
      await client.connection.wait('a byte', () => client.connection.received >= read);
      tellByte(story, ['read', quoteByte(client.takeNews().charCodeAt(0))], read, count, countWaiting(client, server));
    }
  });
  await client.step('the client closes its sending side', () => client.connection.closeSendingSide());
  await client.receiveEnd();
  return compare(client.text, line);
}

// A connection that has ended, or is another machine's, has no row in the table.
const countWaiting = (client, server) => findEnds(client.connection.port, server.address.port).client?.toRead ?? 0;

const quoteByte = (byte) => JSON.stringify(String.fromCharCode(byte));

function tellByte(story, [deed, byte], number, all, waiting) {
  if (number <= shownBytes || number === all) story.tell(deed, `${byte}: ${formatCount(waiting)} to read in the client's kernel`);
  else if (number === shownBytes + 1) story.tell('', '...');
}

/** An empty text where all has come back as it was sent; else what has not. */
function compare(received, sent) {
  if (received === sent) return '';
  return `the client sent ${quote(sent)} and received ${quote(received)}`;
}
