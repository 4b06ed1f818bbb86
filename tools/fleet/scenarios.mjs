// What ./learn fleet does to the machines, while clients are there.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Scope } from '../observe/program.mjs';
import { Problem } from '../observe/problem.mjs';
import { becomesTrue, waitFor } from '../observe/waits.mjs';
import { startBalancer } from './balancer.mjs';
import { Child } from './children.mjs';
import { addTallies, habits } from './load.mjs';
import { addresses, cutOff, machines, plugIn, port } from './network.mjs';

export const crowd = { visitors: 24, residents: 12, readers: 6 };

const load = fileURLToPath(new URL('load.mjs', import.meta.url));
const drainPatience = 1000; // ms for those who are still with a machine that is to be stopped
const restartPause = 1000; // ms from the last event to the end of a scenario: what it has done to clients is over by then

const cutOffWithTheMachine = ' on-marked-down shutdown-sessions';
// Instead of a connection alone: an echo.
const echoCheck = `    option tcp-check
    tcp-check send ping\\r\\n
    tcp-check expect string ping
`;

/** In the order of the table. Those that are `isLong` are left out of a quick run. */
export const scenarios = [
  { id: 'steady', title: 'steady', run: () => sleep(4500) },
  { id: 'rolling', title: 'rolling upgrade', run: (fleet) => upgradeAll(fleet, 'SIGTERM') },
  { id: 'vanished', title: 'a machine vanishes', run: (fleet) => loseMachine(fleet, 'm3') },
  { id: 'killed', title: 'a process is killed', run: (fleet) => killServer(fleet, 'm3') },
  { id: 'rolling-killed', title: 'rolling upgrade by SIGKILL', isLong: true, run: (fleet) => upgradeAll(fleet, 'SIGKILL') },
  { id: 'halted', title: 'a process is halted', isLong: true, run: (fleet) => haltServer(fleet, 'm3') },
  { id: 'halted-asked', title: 'a process is halted, and the check wants an echo', isLong: true, changes: [['    timeout check', `${echoCheck}    timeout check`]], run: (fleet) => haltServer(fleet, 'm3', { isAsked: true }) },
  { id: 'vanished-patient', title: 'a machine vanishes, its connections kept', isLong: true, changes: [[cutOffWithTheMachine, '']], run: (fleet) => loseMachine(fleet, 'm3') },
  { id: 'rolling-roundrobin', title: 'rolling upgrade, roundrobin', isLong: true, changes: [['balance leastconn', 'balance roundrobin']], run: (fleet) => upgradeAll(fleet, 'SIGTERM') },
];

/** Runs one, with a balancer, servers and clients of its own, and returns what the clients have seen. */
export async function runScenario(scope, { id, title, changes, run }, server, folder, tell) {
  const own = new Scope(); // Ended before the next one begins.
  scope.defer(() => own.close());
  const fleet = { server, scope: own, servers: {}, tell, noticed: undefined };
  for (const machine of machines) plugIn(machine);
  for (const machine of machines) await startServer(fleet, machine);
  fleet.balancer = await startBalancer(own, folder, changes);
  const clients = new Child(own, 'clients', [process.execPath, load, addresses.balancer, port, crowd.visitors, crowd.residents, crowd.readers].map(String));
  await clients.line(/^ready$/);
  tell('the clients are there');
  await run(fleet);
  const open = {};
  for (const { svname, scur } of await fleet.balancer.states()) open[svname] = Number(scur);
  clients.endInput();
  const tally = JSON.parse(await clients.line(/^\{/));
  await waitFor('the end of the clients', clients.ended);
  await own.close();
  return { id, title, ...(fleet.noticed === undefined ? {} : { noticed_ms: fleet.noticed }), open_at_the_end: open, ...addTallies(Object.values(tally)), not_echoed: mapValues(tally, ({ bytes_not_echoed }) => bytes_not_echoed) };
}

function mapValues(object, map) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}

/** Starts a server on a machine, and returns when it listens. */
export async function startServer(fleet, machine, options = []) {
  const server = new Child(fleet.scope, machine, [fleet.server, '--host', addresses[machine], '--port', String(port), ...options]);
  await server.line(/^listening on /);
  fleet.servers[machine] = server;
}

async function upgradeAll(fleet, signal) {
  for (const machine of machines) await upgrade(fleet, machine, signal);
  await sleep(restartPause);
}

// One machine gets a new server, and nobody is to notice.
async function upgrade(fleet, machine, signal) {
  const { balancer, tell } = fleet;
  // 1. No new client comes to it. Those that it has may finish: visitors leave soon, residents do not.
  await balancer.tell(`set server machines/${machine} state drain`);
  const isEmpty = await becomesTrue(async () => (await balancer.connectionsOf(machine)) === 0, drainPatience, 20);
  const left = isEmpty ? 0 : await balancer.connectionsOf(machine);
  // 2. The server is asked to end, and ends those that are left in good order.
  //    Its port is closed from now on: a check would find the machine down, and the balancer would cut off those whom the
  //    server is still serving. So the checks rest meanwhile.
  await balancer.tell(`disable health machines/${machine}`);
  fleet.servers[machine].signal(signal);
  const how = await waitFor(`the end of the server on ${machine}`, fleet.servers[machine].ended);
  tell(`${machine}: ${left} connections were left when ${signal} came; the server ended with ${how}`);
  // 3. The balancer finds it down: so that when it finds it up, it is the new one that it has found.
  const ended = balancer.now;
  await balancer.tell(`enable health machines/${machine}`);
  await balancer.found(machine, 'DOWN', ended);
  const restarted = balancer.now;
  await startServer(fleet, machine);
  await balancer.found(machine, 'UP', restarted);
  // 4. New clients may come.
  await balancer.tell(`set server machines/${machine} state ready`);
}

async function loseMachine(fleet, machine) {
  await sleep(restartPause);
  await notice(fleet, machine, () => cutOff(machine));
  await sleep(habits.patience_ms + restartPause); // Whoever waits in vain has given up by then.
}

async function killServer(fleet, machine) {
  await sleep(restartPause);
  await notice(fleet, machine, () => fleet.servers[machine].signal('SIGKILL'));
  await sleep(restartPause);
}

// The process is there, and does nothing. A check that is not answered by the process does not notice.
async function haltServer(fleet, machine, { isAsked = false } = {}) {
  await sleep(restartPause);
  const halt = () => fleet.servers[machine].signal('SIGSTOP');
  if (isAsked) await notice(fleet, machine, halt);
  else halt();
  await sleep(habits.patience_ms + restartPause);
  if (isAsked) return;
  const state = (await fleet.balancer.states()).find(({ svname }) => svname === machine).status;
  fleet.tell(`${machine}: the balancer says that it is ${state}`);
  if (state === 'UP') fleet.noticed = null; // Not found down.
}

// Does something to a machine, and measures when the balancer finds it down.
async function notice(fleet, machine, act) {
  const { now } = fleet.balancer;
  const started = performance.now();
  await act();
  await fleet.balancer.found(machine, 'DOWN', now);
  fleet.noticed = Math.round(performance.now() - started);
  fleet.tell(`${machine}: the balancer found it down after ${(fleet.noticed / 1000).toFixed(1)} s`);
}

/** What must not be in the figures of a scenario; nothing where all is well. */
export function findFaults(result) {
  const faults = [];
  if (result.bytes_wrong > 0) faults.push(`${result.title}: ${result.bytes_wrong} wrong bytes came back`);
  if (result.connections === 0) faults.push(`${result.title}: there was no connection`);
  if (['steady', 'rolling', 'rolling-roundrobin'].includes(result.id)) {
    for (const key of ['refused', 'reset', 'timed_out']) {
      if (result[key] > 0) faults.push(`${result.title}: ${result[key]} connections ${key.replace('_', ' ')}`);
    }
    // A resident may say something in the moment in which its server ends (docs/fleet.md); a visitor has left by then, and a slow reader has said all.
    const lost = result.not_echoed.visitors + result.not_echoed.readers + (result.id === 'steady' ? result.not_echoed.residents : 0);
    if (lost > 0) faults.push(`${result.title}: ${lost} bytes were not echoed`);
  }
  return faults;
}

export function demandOutcome(results) {
  const faults = results.flatMap(findFaults);
  if (faults.length > 0) throw new Problem(faults.join('\n'));
}
