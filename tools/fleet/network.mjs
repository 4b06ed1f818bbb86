// The network of ./learn fleet: a namespace for each machine, and one for the switch (a bridge) that joins them. A link
// lives in a namespace and goes with it, so the machine on which this runs never sees one.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { Problem, Unavailable } from '../observe/problem.mjs';

const run = promisify(execFile);

export const port = 7777;
// Nobody but the namespaces knows these addresses. tools/fleet/haproxy.cfg has them, too.
export const addresses = { balancer: '10.77.0.1', m1: '10.77.0.11', m2: '10.77.0.12', m3: '10.77.0.13', clients: '10.77.0.100' };
export const machines = ['m1', 'm2', 'm3'];

const prefix = 'learn-fleet-';
const own = `${prefix}${process.pid}-`; // Two runs at once have two networks.

/** The name of the namespace of `machine`, in `ip netns list`. */
export function namespaceOf(machine) {
  return `${own}${machine}`;
}

/** The words with which a program is run in the namespace of `machine`. It dies with us, even if we are killed. */
export function inNamespace(machine, words) {
  return ['ip', 'netns', 'exec', namespaceOf(machine), 'setpriv', '--pdeathsig', 'KILL', ...words];
}

/** Makes the network; it is taken away with the scope, and nothing of it is left. Throws Problem, Unavailable. */
export async function makeNetwork(scope) {
  await removeLeftovers();
  scope.defer(removeNetwork);
  await makeNamespace('switch');
  await ip('-n', namespaceOf('switch'), 'link', 'add', 'bridge', 'up', 'type', 'bridge');
  for (const [machine, address] of Object.entries(addresses)) {
    await makeNamespace(machine);
    await ip('-n', namespaceOf('switch'), 'link', 'add', machine, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespaceOf(machine));
    await ip('-n', namespaceOf('switch'), 'link', 'set', machine, 'up', 'master', 'bridge');
    await ip('-n', namespaceOf(machine), 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await ip('-n', namespaceOf(machine), 'link', 'set', 'eth0', 'up');
    await ip('-n', namespaceOf(machine), 'link', 'set', 'lo', 'up');
  }
}

/** From now on the machine is not there: no packet reaches it, and none comes from it. */
export async function cutOff(machine) {
  await ip('-n', namespaceOf(machine), 'link', 'set', 'eth0', 'down');
}

/** The machine is on the network again, if it was not. */
export async function plugIn(machine) {
  await ip('-n', namespaceOf(machine), 'link', 'set', 'eth0', 'up');
}

async function makeNamespace(machine) {
  try {
    await run('ip', ['netns', 'add', namespaceOf(machine)]);
  } catch (error) {
    throw new Unavailable(`cannot make a network namespace here (in a container: run it with --privileged): ${lastLine(error)}`);
  }
}

async function removeNetwork() {
  for (const name of await listNamespaces(own)) await removeNamespace(name);
  const left = await listNamespaces(own);
  if (left.length > 0) throw new Problem(`these namespaces are left: ${left.join(', ')}; take them away with: ip netns del NAME`);
}

// Of a run that was killed: its processes have died with it, its namespaces have not.
async function removeLeftovers() {
  for (const name of await listNamespaces(prefix)) {
    const pid = name.slice(prefix.length).split('-')[0];
    if (!existsSync(`/proc/${pid}`)) await removeNamespace(name);
  }
}

// A process that is still in it would keep its links alive, so that is ended first, by its id.
async function removeNamespace(name) {
  const { stdout } = await run('ip', ['netns', 'pids', name]);
  for (const pid of stdout.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
  await ip('netns', 'delete', name);
}

async function listNamespaces(beginning) {
  const { stdout } = await run('ip', ['netns', 'list']);
  return stdout.split('\n').map((line) => line.split(' ')[0]).filter((name) => name.startsWith(beginning));
}

async function ip(...words) {
  try {
    await run('ip', words);
  } catch (error) {
    throw new Problem(`ip ${words.join(' ')}: ${lastLine(error)}`);
  }
}

function lastLine(error) {
  return (error.stderr ?? '').trim().split('\n').at(-1) || error.message;
}
