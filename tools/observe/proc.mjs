// What the kernel says of processes and threads, through /proc (proc(5)).
//
// A process may end between two looks: what is no longer there is null or empty, never an exception.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The text of a file below /proc, or null when it is not there or not ours to read. */
export function readProc(path) {
  try {
    return readFileSync(`/proc/${path}`, 'latin1');
  } catch {
    return null;
  }
}

function listProc(path) {
  try {
    return readdirSync(`/proc/${path}`);
  } catch {
    return [];
  }
}

const listNumbers = (path) => listProc(path).filter((name) => /^\d+$/.test(name)).map(Number).sort((a, b) => a - b);

export const listProcesses = () => listNumbers('');
export const listThreads = (pid) => listNumbers(`${pid}/task`);

/** A line of /proc/PID/stat: {pid, name, state, parent, group, ticks, startTime}, or null. */
export function readStat(pid, thread) {
  const text = readProc(thread === undefined ? `${pid}/stat` : `${pid}/task/${thread}/stat`);
  return text === null ? null : parseStat(text);
}

export function parseStat(text) {
  // The name stands in parentheses and may contain blanks and parentheses itself: the last one closes it.
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const field = (number) => Number(fields[number - 3]); // numbered as in proc(5), from 1; state is 3
  return {
    pid: Number.parseInt(text, 10),
    name: text.slice(text.indexOf('(') + 1, close),
    state: fields[0],
    parent: field(4),
    group: field(5),
    ticks: field(14) + field(15),
    startTime: field(22),
  };
}

/** The processes of a process group that still run (a zombie does not). */
export function listGroup(group) {
  return listProcesses().map((pid) => readStat(pid)).filter((stat) => stat?.group === group && !'ZX'.includes(stat.state));
}

/** The value of a line `key:  value` in a thread's status file, or null. */
export function readStatus(pid, thread, key) {
  const text = readProc(`${pid}/task/${thread}/status`);
  return text === null ? null : new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? null;
}

/** Whether the kernel tells us what a process has open: it does to its owner and to root. */
export function mayLookInto(pid) {
  try {
    readdirSync(`/proc/${pid}/fd`);
    return true;
  } catch (error) {
    return error.code !== 'EACCES' && error.code !== 'EPERM';
  }
}

/** The open descriptors of a process: [{number, target}], where target is "/dev/null" or "socket:[4711]". */
export function listDescriptors(pid) {
  return listNumbers(`${pid}/fd`).flatMap((number) => {
    try {
      return [{ number, target: readlinkSync(`/proc/${pid}/fd/${number}`) }];
    } catch {
      return [];
    }
  });
}
