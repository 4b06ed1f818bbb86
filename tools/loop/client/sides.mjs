// What the kernel says of both ends of a connection, and of the server's processes: in words.

import { compressRoles } from '../../observe/roles.mjs';
import { readSocketTable } from '../../observe/socket-table.mjs';

/**
 * Both ends of the connection between two ports of this machine: {client, server}, each {state, toRead, toSend} or null
 * where the kernel has no such socket.
 */
export function findEnds(clientPort, serverPort, table = readSocketTable()) {
  const find = (local, peer) => {
    const row = table.find((socket) => socket.local.port === local && socket.peer.port === peer);
    return row === undefined ? null : { state: row.state, toRead: row.receiveQueue, toSend: row.sendQueue };
  };
  return { client: find(clientPort, serverPort), server: find(serverPort, clientPort) };
}

// The kernel counts by sequence numbers, and a SYN or FIN has one of its own.
const hasFinToRead = (state) => ['CLOSE_WAIT', 'LAST_ACK', 'CLOSING'].includes(state);
const hasFinToSend = (state) => ['FIN_WAIT1', 'LAST_ACK', 'CLOSING'].includes(state);

/**
 * `ESTABLISHED, 6 to read, 0 to send`; CLOSED where there is no socket any more. `isOpen`: the program has not closed its
 * descriptor, nor read to the end of file.
 */
export function describeEnd(end, isOpen = false) {
  if (end === null) return 'CLOSED: the kernel has no such connection any more';
  const { state, toRead, toSend } = end;
  // The connection is over, and the table no longer counts what the program can still read.
  if (state === 'TIME_WAIT') return isOpen ? `${state}; what came before the FIN can still be read` : state;
  return `${state}, ${describeCount(toRead, 'read', hasFinToRead(state) && 'the end of file')}, `
    + describeCount(toSend, 'send', state === 'SYN_SENT' ? 'the SYN' : hasFinToSend(state) && 'the FIN');
}

function describeCount(count, verb, also) {
  const words = `${formatCount(count)} to ${verb}`;
  if (count === 0 || !also) return words;
  return count === 1 ? `${words} (${also})` : `${words} (${also} counts as 1)`;
}

/** 6291456 as 6,291,456. */
export const formatCount = (count) => count.toLocaleString('en-US');

const mostGroups = 4; // clauses, before the descriptors are left out
const mostRanges = 3; // of roles in a clause, before they are counted

/** `server: asleep in accept(3); child 1 … child 3: asleep in read(4)`: those that do the same share a clause. */
export function describeTasks(tasks) {
  const exact = groupTasks(tasks, (call) => call);
  // Twenty threads that read from twenty clients do the same thing.
  const groups = exact.size <= mostGroups ? exact : groupTasks(tasks, (call) => call.replace(/\(\d+\)$/, ''));
  return [...groups].map(([deed, roles]) => `${nameRoles(roles)}: ${deed}`).join('; ');
}

function groupTasks(tasks, shorten) {
  const groups = new Map(); // what they do, to the roles
  for (const { role, state, blockedIn } of tasks) {
    const deed = blockedIn === '' ? state : `${state} in ${shorten(blockedIn)}`;
    groups.set(deed, [...(groups.get(deed) ?? []), role]);
  }
  return groups;
}

function nameRoles(roles) {
  const words = compressRoles(roles);
  if (words.split(', ').length <= mostRanges) return words;
  const kinds = [[/^child/, 'children'], [/^thread/, 'threads'], [/kernel/, "of the kernel's threads"]];
  const counts = kinds.map(([pattern, name]) => [roles.filter((role) => pattern.test(role)).length, name]).filter(([count]) => count > 0);
  return [...roles.filter((role) => role === 'server'), ...counts.map(([count, name]) => `${formatCount(count)} ${name}`)].join(', ');
}

/** Which side's kernel remembers the connection, and why: a clause. */
export function describeTimeWait({ client, server }) {
  const sides = [client?.state === 'TIME_WAIT' && 'client', server?.state === 'TIME_WAIT' && 'server'].filter(Boolean);
  if (sides.length === 0) return 'no side is in TIME_WAIT';
  return `in TIME_WAIT: the ${sides.join(' and the ')}, ${sides.length === 1 ? 'who' : 'as each'} sent the first FIN`;
}

/** `100 ESTABLISHED, 3 SYN_SENT`, the most frequent first. */
export function countStates(sockets) {
  const counts = new Map();
  for (const { state } of sockets) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([state, count]) => `${formatCount(count)} ${state}`).join(', ') || 'none';
}
