// What is to be measured: the loads, the servers, and which server can bear which load.

import { withoutNumber } from '../../chapters.mjs';

// Chapters stand here without their numbers.
export const baselineName = 'epoll';

export const isBaseline = (server) => withoutNumber(server) === baselineName;

// How thorough a run is. A pair is a slice on each of two servers; as many pairs again are the null.
export const thorough = { pairs: 14, sliceMs: 250, idleSteps: [0, 10, 100, 1000, 3000, 10000], counted: [1, 50, 1000], memory: [1000, 10000], nops: 41 };
export const quick = { pairs: 6, sliceMs: 100, idleSteps: [0, 1000], counted: [50], memory: [1000], nops: 7 };

const descriptorsOfOthers = 100; // standard streams, pipes, what the servers have open
const serversAtOnce = 3; // the baseline, the server, and a second process of the baseline

// `connections` of "many" is what the limits allow: see cutToLimits.
const allLoads = [
  { id: '64B-50', connections: 50, message_bytes: 64 },
  { id: '64B-1', connections: 1, message_bytes: 64 },
  { id: '64B-1000', connections: 1000, message_bytes: 64 },
  { id: 'visits-8', connections: 8, message_bytes: 64, reconnects: true },
  { id: 'rate-1', connections: 1, message_bytes: 64, rate: 5000 },
  { id: '64K-50', connections: 50, message_bytes: 64 * 1024 },
  { id: '16K-50', connections: 50, message_bytes: 16 * 1024 },
  { id: '1K-50', connections: 50, message_bytes: 1024 },
  { id: '64B-many', connections: 10_000, message_bytes: 64 },
];

export const loadIds = allLoads.map((load) => load.id);

// The loads with the number of connections that the limit on descriptors allows, and what was cut.
export function cutToLimits(maxDescriptors) {
  const cuts = [];
  const loads = allLoads.map((load) => {
    const allowed = Math.floor((maxDescriptors - descriptorsOfOthers) / serversAtOnce);
    const connections = Math.min(load.connections, allowed);
    if (connections < load.connections) {
      cuts.push(`${load.id}: ${grouped(connections)} connections instead of ${grouped(load.connections)}; to each of ${serversAtOnce} servers they `
        + `need descriptors, of which a process may have ${grouped(maxDescriptors)} here (ulimit -n)`);
    }
    const full = { rate: 0, reconnects: false, ...load, connections };
    return { ...full, title: describeLoad(full) };
  });
  return { loads, cuts };
}

// As many idle clients as the limit allows; the greatest numbers become that one.
export function cutClients(numbers, maxDescriptors) {
  const allowed = maxDescriptors - descriptorsOfOthers - 1; // one of them speaks
  return [...new Set(numbers.map((number) => Math.min(number, allowed)))];
}

export function describeLoad({ connections, message_bytes: bytes, rate, reconnects }) {
  const size = bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KiB`;
  if (reconnects) return `visits (connect, one echo of ${size}, close), ${connections} at a time`;
  const who = `${grouped(connections)} connection${connections === 1 ? '' : 's'}`;
  return rate > 0 ? `${size}, ${who}, ${grouped(rate)} a second` : `${size}, ${who}`;
}

// --- Servers ----------------------------------------------------------------------------------------

const one = 'serves one client at a time';
const process = 'has as many processes as there are clients: look at 1,000';
const worker = 'needs as many workers as there are clients: look at 1,000';

// What stands in the way of a load, by the server; nothing where it can bear it.
const hindrances = {
  iterative: (load) => (load.connections > 1 && !load.reconnects ? one : undefined),
  robust: (load) => (load.connections > 1 && !load.reconnects ? one : undefined),
  fork: (load) => (load.connections > 1000 ? process : undefined),
  exec: (load) => (load.connections > 1000 ? process : undefined),
  prefork: (load) => (load.connections > 1000 ? worker : undefined),
  'thread-pool': (load) => (load.connections > 1000 ? worker : undefined),
  select: (load) => (load.connections > 1000 ? 'select() watches descriptors below 1,024 alone' : undefined),
  'peer-socat': (load) => (load.connections > 1000 ? process : undefined),
};

// Those that cannot be measured with clients who stay and do nothing.
const keepNobodyIdle = {
  iterative: one,
  robust: one,
  prefork: 'serves as many clients at a time as it has workers',
  'thread-pool': 'serves as many clients at a time as it has threads',
};

// What a chapter changed, measured against the one before it: what looks small beside the baseline.
export const steps = [
  { name: 'sleep', chapter: 'reactor', title: 'coroutines in the place of callbacks', loads: ['64B-50', '64B-1000'] },
  { name: 'loan', chapter: 'accept-queue', title: 'receives into lent buffers of a pool', loads: ['64B-50', '64B-1000', '64K-50'] },
];

export const peers = [
  { id: 'peer-asio', label: 'Asio, coroutines', package: 'libasio-dev' },
  { id: 'peer-asio-uring', label: 'Asio, coroutines, io_uring', package: 'libasio-dev' },
  { id: 'peer-libevent', label: 'libevent', package: 'libevent-dev' },
  { id: 'peer-libuv', label: 'libuv', package: 'libuv1-dev' },
  { id: 'peer-go', label: 'Go', package: 'golang-go' },
  { id: 'peer-socat', label: 'socat', package: 'socat' },
];

export function hindranceOf(server, load) {
  return hindrances[withoutNumber(server)]?.(load);
}

export function hindranceOfIdle(server) {
  return keepNobodyIdle[withoutNumber(server)];
}

// The command that starts a server for so many clients at once.
export function commandOf(bin, server, connections) {
  const path = `${bin}/${server}`;
  const name = withoutNumber(server);
  if (name === 'prefork' || name === 'thread-pool') return `${path} --workers ${connections}`;
  if (name === 'per-core') return `${path} --workers 1`;
  return path;
}

// --- The plan ---------------------------------------------------------------------------------------

// The jobs in the order in which they are done: what most readers look for comes first, so that a run
// which is broken off has it. Each has an `id`, which names its file, and `seconds` that it takes.
export function makePlan({ servers, loads, knobs, effort, only, isWhole = true }) {
  const jobs = [];
  const leftOut = [];
  const isWanted = (kind) => only.length === 0 || only.includes(kind);
  for (const load of loads) {
    for (const server of servers.filter((id) => !isBaseline(id) && isWanted(load.id))) {
      const why = hindranceOf(server, load);
      if (why) leftOut.push({ server, load: load.id, why });
      else jobs.push(compareJob(`${server}.${load.id}`, { server, load, effort }));
    }
    if (load.id === '64B-50') jobs.push(...exactJobs({ servers, effort, isWanted, leftOut }));
  }
  if (isWanted('idle')) {
    for (const server of servers) {
      const why = hindranceOfIdle(server);
      if (why) leftOut.push({ server, load: 'idle', why });
      else jobs.push({ kind: 'idle', id: `${server}.idle`, server, effort, seconds: idleSeconds(server, effort) });
    }
  }
  // Of some servers alone, only what was asked for by its name: the rest is not about one of them.
  if (only.includes('coroutine') || (isWhole && isWanted('coroutine'))) jobs.push({ kind: 'coroutine', id: 'coroutine', effort, seconds: 2 + effort.nops * 1.6 });
  if (isWanted('knobs')) {
    const chosen = isWhole ? knobs : knobs.filter((knob) => servers.includes(knob.name) || (only.includes('knobs') && servers.includes(knob.chapter)));
    jobs.push(...chosen.flatMap((knob) => knobJobs(knob, effort)));
  }
  return { jobs, leftOut };
}

function exactJobs({ servers, effort, isWanted, leftOut }) {
  const jobs = [];
  for (const server of servers) {
    if (isWanted('counted')) {
      for (const connections of effort.counted) {
        if (!hindranceOf(server, { connections })) {
          jobs.push({ kind: 'count', id: `${server}.count-${connections}`, server, connections, seconds: 2.5 });
        }
      }
    }
    if (isWanted('memory') && !hindranceOfIdle(server)) {
      for (const clients of effort.memory) {
        const why = hindranceOf(server, { connections: clients });
        if (why) leftOut.push({ server, load: `memory of ${grouped(clients)} clients`, why });
        else jobs.push({ kind: 'memory', id: `${server}.memory-${clients}`, server, clients, seconds: 1 + clients / 4000 });
      }
    }
  }
  return jobs;
}

function compareJob(id, { server, load, effort }) {
  const slices = effort.pairs * 2 * 2; // two servers, and the null beside them
  return { kind: 'compare', id, server, load, effort, seconds: 1.5 + slices * (effort.sliceMs / 1000 + 0.005) + load.connections / 1500 };
}

function knobJobs(knob, effort) {
  return knob.loads.flatMap((load) => knob.processors.map((processors) => ({
    ...compareJob(`knob-${knob.name}.${load.id}.${processors}`, { server: knob.name, load, effort }),
    kind: 'knob',
    knob,
    processors,
  })));
}

function idleSeconds(server, effort) {
  const most = Math.max(...effort.idleSteps);
  // A round of `nonblocking` and of `state` asks everybody, so with each client that connects the next one takes longer;
  // `exec` starts a program.
  const round = (most / 1600) ** 2;
  const connecting = { fork: most / 400, exec: most / 300, nonblocking: round, state: round, 'peer-socat': most / 400 };
  return 1 + effort.idleSteps.length * 0.7 + (connecting[withoutNumber(server)] ?? most / 4000);
}

export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}
