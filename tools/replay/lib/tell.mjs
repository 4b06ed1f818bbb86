// Makes a recording of what the recorder has seen.

import { closeBracket, describeBeginning, describeCall, describeItem } from '../../observe/describe-calls.mjs';
import { resolveInterruptions } from '../../observe/interruptions.mjs';
import { traceSessions } from '../../observe/record-trace.mjs';
import { compareRoles, nameRoles } from '../../observe/roles.mjs';
import { selectItems } from '../../observe/selection.mjs';
import { collectCode } from './code.mjs';
import { isOutside } from '../player/describe.mjs';
import { describeChoice, fields, format } from './recording.mjs';

/**
 * The recording that a session has given: `items` are what strace's lines would be, in their order, each with the number of the moment at which
 * it ended; `moments` what there was then; `steps` what the clients have done; `observer` knows the names of the clients. `serverOptions`
 * and `accepting` are those of record().
 */
export function tellRecording({ root, name, session, serverOptions, accepting, items, moments, steps, observer, hasPackets }) {
  const stepOf = (time) => moments[Math.min(time, moments.length - 1)]?.step ?? 0;
  const roles = nameRoles(items, stepOf);
  const kept = new Map(); // number of the moment at which it ended to the item as a reader sees it
  for (const item of resolveInterruptions(selectItems(items))) if (Number.isFinite(item.end)) kept.set(item.end, item);
  const names = { kept, roles, steps, observer, coroutineNames: new Map() };
  const frames = [];
  for (const [at, moment] of moments.entries()) {
    const event = describeEvent(moment, at, names);
    if (event === null) {
      // What has happened since the last frame is not lost with this one.
      const next = moments[at + 1];
      if (next !== undefined) next.packets.unshift(...moment.packets);
      continue;
    }
    frames.push({ step: moment.step, event, ...describeMoment(moment, event, names) });
  }
  const [title] = traceSessions[session];
  return {
    format,
    chapter: name.replace(/^\d+-/, ''),
    session,
    title,
    ...(serverOptions.length === 0 ? {} : { options: serverOptions }),
    ...(accepting === null ? {} : { choice: describeChoice(accepting) }),
    steps,
    packets: hasPackets,
    fields,
    code: collectCode(root, name, frames),
    frames,
  };
}

/** The event of a moment; null where a reader sees none, as at a call that a signal has interrupted and that has gone on. */
function describeEvent({ kind, item, step }, at, { kept, roles, steps }) {
  if (isOutside({ kind })) return { actor: kind, kind, text: steps[step], call: null };
  const actor = roles.get(item.pid);
  if (kind === 'sleep' || kind === 'enter') {
    const beginning = { ...item, result: null };
    return { actor, kind, text: closeBracket(describeBeginning(beginning, roles)), call: { ...describeCall(beginning, roles), result: null } };
  }
  const shown = kept.get(at);
  if (shown === undefined || shown.pid !== item.pid) return null;
  return { actor, kind: shown.kind === 'handler-end' ? 'call' : kind, text: describeItem(shown, roles), call: describeCall(shown, roles) };
}

function describeMoment(moment, event, { roles, coroutineNames, observer }) {
  const nameProcess = (pid) => roles.get(pid) ?? 'server';
  const nameOther = (pid) => (nameProcess(pid) === 'server' ? {} : { of: nameProcess(pid) });
  const owners = new Map();
  for (const { process: process_, descriptors } of moment.actors) {
    for (const { inode } of descriptors ?? []) {
      if (inode === null) continue;
      const names = owners.get(inode) ?? owners.set(inode, []).get(inode);
      if (!names.includes(nameProcess(process_))) names.push(nameProcess(process_));
    }
  }
  for (const names of owners.values()) names.sort((a, b) => Number(b === 'server') - Number(a === 'server') || compareRoles(a, b));
  const sockets = observer.describeSockets(moment.rows, owners);
  const isAtWork = (actor) => event.actor === roles.get(actor.id);
  return {
    actors: moment.actors.filter(({ id }) => roles.has(id)).map((actor) => ({
      role: roles.get(actor.id),
      process: nameProcess(actor.process),
      state: actor.state === 'held' ? (isAtWork(actor) ? 'running' : 'ready') : actor.state,
      in: actor.state === 'asleep' && actor.call !== null ? closeBracket(describeBeginning({ ...actor.call, result: null }, roles)) : null,
      stack: actor.stack,
      descriptors: actor.descriptors?.map(({ number, what }) => ({ number, what })) ?? null,
    })),
    sockets,
    interest: moment.actors.flatMap((actor) => [
      ...actor.epolls.map(({ fd, list }) => ({ of: nameProcess(actor.process), kind: 'epoll', fd, list: addReadiness(list, actor, sockets) })),
      ...(actor.interest === null ? [] : [{ of: roles.get(actor.id), kind: actor.interest.kind, fd: null, list: addReadiness(actor.interest.list, actor, sockets) }]),
    ]),
    rings: moment.rings.map(({ process: process_, ...ring }) => ({ ...nameOther(process_), ...ring })),
    coroutines: moment.coroutines.map(({ id, process: process_, function: name, state, place, awaiter }) => ({
      name: nameCoroutine(coroutineNames, id), ...nameOther(process_), function: name, state, place, awaiter,
    })),
    packets: moment.packets.map(({ clientPort, from, flags, seq, ack, length, kind, states }) => {
      const client = observer.nameClient(clientPort);
      return { from: from === 'client' ? client : 'server', to: from === 'client' ? 'server' : client, flags, seq, ack, length, kind, states };
    }),
  };
}

function nameCoroutine(names, id) {
  if (!names.has(id)) names.set(id, `coroutine ${names.size + 1}`);
  return names.get(id);
}

/** Adds to each entry what the sockets say: whether there is something to read, or to accept, of what it is watched for. */
function addReadiness(list, actor, sockets) {
  const what = new Map((actor.descriptors ?? []).map(({ number, what: text }) => [number, text]));
  return list.map(({ fd, events }) => ({ fd, events, ready: isReady(what.get(fd), events, sockets) }));
}

function isReady(what, events, sockets) {
  const [isListener, number = '1'] = /^listener ?(\d+)?$/.exec(what ?? '') ?? [];
  if (isListener !== undefined) return /IN|readable/.test(events) && sockets.filter(({ state }) => state === 'LISTEN')[Number(number) - 1]?.accept > 0;
  const client = /^connection with (.*)$/.exec(what ?? '')?.[1];
  const socket = sockets.find((row) => row.side === 'server' && row.client === client);
  if (socket === undefined) return null;
  const canRead = socket.receive > 0 || ['CLOSE_WAIT', 'LAST_ACK', 'CLOSING', 'CLOSE'].includes(socket.state);
  const canWrite = ['ESTABLISHED', 'CLOSE_WAIT'].includes(socket.state);
  return (/IN|readable/.test(events) && canRead) || (/OUT|writable/.test(events) && canWrite);
}
