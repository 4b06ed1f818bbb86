// Gives processes and threads names that do not change from run to run.

import { isBirth } from './syscalls.mjs';

/**
 * A map from pid to role: "server", "child 1", "thread 2".
 *
 * Numbers go by the step of the birth. Of those born in one step the first to do something later has
 * the lowest number: which of the waiting members of a pool the kernel wakes is a matter of chance,
 * and the story is the same whichever it is. `stepOf(time)` gives the number of a step.
 */
export function nameRoles(items, stepOf) {
  const roles = new Map();
  const births = findBirths(items, stepOf);
  const first = items[0]?.pid;
  if (first !== undefined) roles.set(first, 'server');
  const counts = { child: 0, thread: 0 };
  for (const { pid, kind } of births.sort((a, b) => a.step - b.step || a.wakes - b.wakes || a.order - b.order)) {
    counts[kind] += 1;
    roles.set(pid, `${kind} ${counts[kind]}`);
  }
  return roles;
}

function findBirths(items, stepOf) {
  const births = [];
  items.forEach((item, order) => {
    if (item.kind !== 'call' || !isBirth(item) || !(Number(item.result) > 0)) return;
    births.push({
      pid: Number(item.result),
      kind: isThread(item) ? 'thread' : 'child',
      step: stepOf(item.end),
      wakes: Infinity,
      order,
    });
  });
  const byPid = new Map(births.map((birth) => [birth.pid, birth]));
  for (const { pid, begin, end } of items) {
    const birth = byPid.get(pid);
    if (birth === undefined) continue;
    for (const time of [begin, end]) {
      if (Number.isFinite(time) && stepOf(time) > birth.step) birth.wakes = Math.min(birth.wakes, time);
    }
  }
  return births;
}

export const isThread = ({ args }) => args.includes('CLONE_THREAD');

/** Replaces a pid by its role where it is known; what is not known stays a word: "another process". */
export const describePid = (roles, pid) => roles.get(Number(pid)) ?? 'another process';

export const compareRoles = (a, b) => a.localeCompare(b, 'en', { numeric: true });

/** `server, child 1, child 2, child 3` as `server, child 1 … child 3`: a range wherever numbers follow each other. */
export function compressRoles(roles) {
  const ranges = [];
  for (const role of [...roles].sort((a, b) => rank(a) - rank(b) || compareRoles(a, b))) {
    const [, kind, number] = /^(.*?) ?(\d*)$/.exec(role);
    const last = ranges.at(-1);
    if (last?.kind === kind && Number(number) === last.number + 1) Object.assign(last, { last: role, number: Number(number) });
    else ranges.push({ kind, first: role, last: role, number: Number(number) });
  }
  return ranges.map(({ first, last }) => (first === last ? first : `${first} … ${last}`)).join(', ');
}

const rank = (role) => (role === 'server' ? 0 : 1);
