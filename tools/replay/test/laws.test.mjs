// The laws hold in every frame of every recording; and each law notices what it is there for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findViolations, laws } from '../lib/laws.mjs';
import { listRecordings, loadRecording } from '../lib/recording.mjs';
import { root } from './support.mjs';

for (const name of listRecordings(root)) {
  test(`${name}: all laws hold in all frames`, () => {
    assert.deepEqual(findViolations(loadRecording(root, name)), []);
  });
}

/** A copy of a recording, changed by `change(frames)`; the laws that it breaks. */
function breakRecording(name, change) {
  const recording = structuredClone(loadRecording(root, name));
  change(recording.frames, recording);
  return [...new Set(findViolations(recording).map(({ law }) => law))];
}

const find = (frames, test_) => {
  const at = frames.findIndex(test_);
  assert.notEqual(at, -1, 'the recording has no such frame');
  return at;
};
const isCall = (name, result) => ({ event }) => event.call?.name === name && event.kind === 'call' && (result === undefined || event.call.result === result);
const socketOf = (frame, side, client) => frame.sockets.find((socket) => socket.side === side && socket.client === client);

const faults = {
  'open before use': ['epoll', (frames) => { frames[find(frames, isCall('read', '6'))].event.call.args[0] = '17'; }],
  'closed once': ['epoll', (frames) => {
    const at = find(frames, isCall('close'));
    frames[at + 1].event = structuredClone(frames[at].event);
  }],
  'no descriptor from nowhere': ['epoll', (frames) => frames[find(frames, isCall('accept4', '5')) - 2].actors[0].descriptors.push({ number: 40, what: 'pipe' })],
  'a receive queue falls by what read returned': ['epoll', (frames) => {
    const at = find(frames, isCall('read', '6'));
    socketOf(frames[at], 'server', 'client 2').receive = 6;
  }],
  'the accept queue falls by accept': ['epoll', (frames) => {
    const at = find(frames, isCall('accept4', '5'));
    frames[at].sockets.find(({ state }) => state === 'LISTEN').accept = 1;
  }],
  'a send queue falls by acknowledgements': ['epoll', (frames) => { socketOf(frames[find(frames, isCall('sendto', '6'))], 'server', 'client 2').send = 6; }],
  'TCP states follow from packets': ['fork', (frames) => { socketOf(frames.at(-10), 'client', 'client 1').state = 'ESTABLISHED'; }],
  'nothing is sent that has not come': ['poll', (frames) => {
    for (const { packets } of frames) for (const packet of packets) if (packet.from === 'server' && packet.length > 0) packet.length += 1;
  }],
  'the interest list changes by epoll_ctl and close': ['epoll', (frames) => { frames.at(-1).interest[0].list.push({ fd: 3, events: 'EPOLLOUT', ready: false }); }],
  'an entry goes one way through a ring': ['no-epoll', (frames) => {
    const at = find(frames, ({ rings }) => rings.some(({ completion }) => completion.length > 0));
    frames[at].rings[0].inFlight.push({ number: frames[at].rings[0].completion[0].number, operation: 'ACCEPT', fd: 3 });
  }],
  'who acts was born': ['fork', (frames) => {
    const at = find(frames, isCall('fork'));
    frames[at].event.call.result = 'child 7';
    frames[at].event.text = 'fork() = child 7';
  }],
  'a sleeper wakes first': ['epoll', (frames) => {
    const at = find(frames, ({ event }) => event.kind === 'sleep');
    const next = frames.slice(at + 1).find(({ event }) => event.actor === 'server');
    next.event.call.name = 'getsockname';
  }],
  'a place is a line of code': ['resume', (frames) => { frames[20].actors[0].stack[0].line = 1; }],
  'a suspended coroutine stands somewhere': ['resume', (frames) => { frames[20].coroutines[0].place = null; }],
};

test('there is a fault for each law', () => {
  assert.deepEqual(Object.keys(faults).sort(), Object.keys(laws).sort());
});

for (const [law, [name, fault]] of Object.entries(faults)) {
  test(`a fault that breaks the law '${law}' is noticed`, () => {
    const broken = breakRecording(name, fault);
    assert.ok(broken.includes(law), `broken are: ${broken.join(', ') || 'none'}`);
  });
}

test('what one process has accepted with its ring, another one does not have', () => {
  const found = breakRecording('overlap', (frames) => {
    // The successor's ring has accepted a client, as descriptor 4. Until then the old version shall have none of that number.
    const at = find(frames, ({ rings }) => rings.some(({ of, completion }) => of === 'child 1' && completion.some(({ operation, result }) => operation === 'ACCEPT' && result === 4)));
    for (const frame of frames.slice(0, at + 1)) {
      frame.actors = frame.actors.map((actor) => (actor.role === 'server' ? { ...actor, descriptors: actor.descriptors.filter(({ number }) => number !== 4) } : actor));
    }
  });
  assert.ok(found.includes('no descriptor from nowhere'), found.join(', '));
});

test('a recording without packets is judged by what it has', () => {
  const recording = { ...loadRecording(root, 'epoll'), packets: false };
  recording.frames = recording.frames.map((frame) => ({ ...frame, packets: [] }));
  assert.deepEqual(findViolations(recording), []);
});
