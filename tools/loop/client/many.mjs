// Many clients of one server, which stay until they all leave at once.

import { readFileSync } from 'node:fs';
import { connectClients, sendFromAll } from '../../observe/crowd.mjs';
import { Problem } from '../../observe/problem.mjs';
import { readSocketTable } from '../../observe/socket-table.mjs';
import { becomesTrue, patience } from '../../observe/waits.mjs';
import { countStates, describeTasks, formatCount } from './sides.mjs';
import { quote } from './story.mjs';

const stillness = 2000; // ms without a change after which a server that never sleeps is taken to spin
const ownDescriptors = 40; // of this process, beside those of its clients

/** Connects the clients, lets them say what is typed, and ends them. `ending` is 'close' or 'reset'. */
export async function beMany(context, count, ending) {
  const { scope, server, story, line } = context;
  demandDescriptors(count);
  story.announce(`${nameClients(count, 'connect')}, and each sends ${quote(line)}`);
  const crowd = await connectClients(scope, count, server, line);
  const isServed = (client) => client.received.length >= line.length;
  tellCrowd(story, { ...crowd, served: crowd.clients.filter(isServed).length });
  const ports = new Set(crowd.clients.map((client) => client.port));
  await tellCrowdSides(context, ports);
  story.say();
  story.say(`Enter, or Ctrl-D: all ${ending} at once. A line that you type is sent by each of them.`);
  await repeatLines(context, crowd, ports);
  story.announce(`${nameClients(crowd.clients.length, ending)} at once`);
  await Promise.all(crowd.clients.map((client) => (ending === 'reset' && client.isConnected ? client.reset() : client.close())));
  const isThere = ({ local, peer, state }) => state === 'ESTABLISHED' && local.port === server.address.port && ports.has(peer.port);
  await becomesTrue(() => !readSocketTable().some(isThere), stillness);
  await tellCrowdSides(context, ports);
  return '';
}

async function repeatLines({ server, story, reader }, crowd, ports) {
  for (let text = await reader.next(); text; text = await reader.next()) {
    const alive = crowd.clients.filter((client) => client.isConnected);
    const served = await sendFromAll(alive, `${text}\n`, server);
    story.tell('served', `${formatCount(served)} of ${formatCount(alive.length)} have their echo of ${quote(`${text}\n`)}`);
    await tellCrowdSides({ server, story }, ports);
  }
}

function demandDescriptors(count) {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  if (limit === undefined || limit === 'unlimited' || count + ownDescriptors <= Number(limit)) return;
  throw new Problem(`${formatCount(count)} clients need as many descriptors, and this shell's hard limit is ${limit} (ulimit -Hn): `
    + `at most --many ${Math.max(0, Number(limit) - ownDescriptors)} here`);
}

function tellCrowd(story, { connected, refused, left, reason, served }) {
  const waiting = connected - served;
  story.tell('served', `${formatCount(served)} have their echo`);
  if (waiting > 0) story.tell('waiting', `${formatCount(waiting)} have a connection and no echo`);
  if (left > 0) story.tell('no room', `${formatCount(left)} got no connection: the accept queue is full, and the kernel drops their SYN`);
  if (refused > 0) story.tell('refused', `${formatCount(refused)} have lost their connection or got none; the first of them: ${reason}`, 'red');
}

/** The states of all ends, the accept queue, and what the processes do. */
async function tellCrowdSides({ server, story }, ports) {
  await untilStill(server);
  const table = readSocketTable();
  const { port } = server.address;
  const clients = table.filter(({ local, peer }) => peer.port === port && ports.has(local.port));
  const others = table.filter(({ local, peer }) => local.port === port && ports.has(peer.port));
  story.tell('clients', `${countStates(clients)}${describeSum(clients)}`, 'cyan');
  const listener = table.find(({ local, state }) => local.port === port && state === 'LISTEN');
  const queue = listener === undefined ? '' : `; ${formatCount(listener.receiveQueue)} in the accept queue`;
  if (server.isLocal) story.tell('server', `${countStates(others)}${describeSum(others)}${queue}`, 'green');
  story.tellProcesses(server.look());
}

/** Waits until the server does nothing any more; one that spins, until its sockets and processes stay as they are. */
async function untilStill(server) {
  const { port } = server.address;
  const ownSockets = () => readSocketTable().filter(({ local, peer }) => local.port === port || peer.port === port);
  const describe = () => `${describeTasks(server.look()?.tasks ?? [])} ${countStates(ownSockets())}`;
  const end = performance.now() + patience;
  let before = describe();
  for (let since = performance.now(); performance.now() - since < stillness && performance.now() < end;) {
    if (await server.waitForQuiet()) return;
    const now = describe();
    if (now !== before) since = performance.now();
    before = now;
  }
}

const nameClients = (count, verb) => (count === 1 ? `1 client ${verb}s` : `${formatCount(count)} clients ${verb}`);

/** What all of them together have to read and to send; nothing where that is nothing. */
function describeSum(sockets) {
  const sum = (field) => sockets.filter(({ state }) => state === 'ESTABLISHED').reduce((total, socket) => total + socket[field], 0);
  const words = [[sum('receiveQueue'), 'to read'], [sum('sendQueue'), 'to send']].filter(([count]) => count > 0);
  return words.length === 0 ? '' : ` (bytes: ${words.map(([count, what]) => `${formatCount(count)} ${what}`).join(', ')})`;
}
