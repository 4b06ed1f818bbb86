// The network of ./learn fleet: a namespace for each machine, and one for the switch (a bridge) that joins them. A link
// lives in a namespace and goes with it, so the machine on which this runs never sees one.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Problem, Unavailable } from '../observe/problem.mjs';

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
export function makeNetwork(scope) {
  removeLeftovers();
  scope.defer(removeNetwork);
  makeNamespace('switch');
  ip('-n', namespaceOf('switch'), 'link', 'add', 'bridge', 'up', 'type', 'bridge');
  for (const [machine, address] of Object.entries(addresses)) {
    makeNamespace(machine);
    ip('-n', namespaceOf('switch'), 'link', 'add', machine, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespaceOf(machine));
    ip('-n', namespaceOf('switch'), 'link', 'set', machine, 'up', 'master', 'bridge');
    ip('-n', namespaceOf(machine), 'address', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', namespaceOf(machine), 'link', 'set', 'eth0', 'up');
    ip('-n', namespaceOf(machine), 'link', 'set', 'lo', 'up');
  }
  // Little room on the way back, so that a client that reads slowly holds its server up (tools/fleet/haproxy.cfg too). Much on
  // the way there: all that a client has sent is in the kernel of its server.
  for (const machine of machines) {
    setBuffers(machine, 'wmem', '4096 16384 32768');
    setBuffers(machine, 'rmem', '4096 4194304 8388608');
  }
  setBuffers('clients', 'rmem', '4096 16384 32768');
}

// The least, the first and the greatest size of a socket's buffer (tcp(7)).
function setBuffers(machine, which, sizes) {
  ip('netns', 'exec', namespaceOf(machine), 'sh', '-c', `echo ${sizes} >/proc/sys/net/ipv4/tcp_${which}`);
}

/** From now on the machine is not there: no packet reaches it, and none comes from it. */
export function cutOff(machine) {
  ip('-n', namespaceOf(machine), 'link', 'set', 'eth0', 'down');
}

/** The machine is on the network again, if it was not. */
export function plugIn(machine) {
  ip('-n', namespaceOf(machine), 'link', 'set', 'eth0', 'up');
}

function makeNamespace(machine) {
  try {
    ip('netns', 'add', namespaceOf(machine));
  } catch (error) {
    throw new Unavailable(`root may not make network namespaces here (in a container: run it with --privileged): ${error.message}`);
  }
}

function removeNetwork() {
  for (const name of listNamespaces(own)) removeNamespace(name);
  const left = listNamespaces(own);
  if (left.length > 0) throw new Problem(`these namespaces are left: ${left.join(', ')}; take them away with: ip netns del NAME`);
}

// Of a run that was killed: its processes have died with it, its namespaces have not.
function removeLeftovers() {
  for (const name of listNamespaces(prefix)) {
    const pid = name.slice(prefix.length).split('-')[0];
    if (existsSync(`/proc/${pid}`)) continue;
    try {
      removeNamespace(name);
    } catch (error) {
      if (listNamespaces(name).length > 0) throw error; // Else another run has been faster.
    }
  }
}

// A process that is still in it would keep its links alive, so that is ended first, by its id.
function removeNamespace(name) {
  for (const pid of ip('netns', 'pids', name).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if (error.code !== 'ESRCH') throw error;
    }
  }
  ip('netns', 'delete', name);
}

function listNamespaces(beginning) {
  return ip('netns', 'list').split('\n').map((line) => line.split(' ')[0]).filter((name) => name.startsWith(beginning));
}

// Returns what it prints. Ctrl-C is for us, and not for a program that is taking away a namespace: so it gets a session of its
// own. We wait for it without doing anything else, so a signal never finds the network half made.
function ip(...words) {
  try {
    return execFileSync('setsid', ['--wait', 'ip', ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Problem(`ip ${words.join(' ')}: ${(error.stderr ?? '').trim().split('\n').at(-1) || error.message}`);
  }
}
