// Decides which system calls of a trace are worth a line.

import { isBirth, opensDescriptor } from './syscalls.mjs';
import { splitArguments } from './strace-lines.mjs';

const descriptorCalls = new Set(['read', 'write', 'readv', 'writev', 'pwritev2', 'close', 'fcntl']);

/**
 * Leaves out what the C library does on its own: reading files (the loader, /etc/hosts, /dev/null),
 * the signal masks around fork and pthread_create, the signals that it keeps for threads; and the
 * execve with which the tracer starts the server.
 */
export function selectItems(items) {
  const files = new Map(); // pid to the set of descriptors that are files
  const filesOf = (pid) => files.get(pid) ?? files.set(pid, new Set()).get(pid);
  let isFirst = true;
  return leaveOutFailedSearches(items).filter((item) => {
    if (item.kind !== 'call') return true;
    const wasFirst = isFirst;
    isFirst = false;
    if (wasFirst && item.name === 'execve') return false;
    const own = filesOf(item.pid);
    if (isBirth(item) && Number(item.result) > 0) {
      const sharesDescriptors = item.args.includes('CLONE_FILES');
      files.set(Number(item.result), sharesDescriptors ? own : new Set(own));
    }
    return isWorthALine(item, own);
  });
}

// execvp() tries one folder of PATH after another; which ones there are says nothing of the server.
function leaveOutFailedSearches(items) {
  const isExec = (item) => item.kind === 'call' && item.name === 'execve';
  const found = new Set(items.filter((item) => isExec(item) && item.result === '0').map(({ pid }) => pid));
  return items.filter((item) => !(isExec(item) && item.result.startsWith('-1 ENOENT') && found.has(item.pid)));
}

function isWorthALine({ name, args, result }, files) {
  const descriptor = Number.parseInt(args, 10);
  if (name === 'open' || name === 'openat') {
    if (Number(result) >= 0) files.add(Number(result));
    return false;
  }
  if (opensDescriptor(name)) files.delete(Number(result));
  if (descriptorCalls.has(name) && files.has(descriptor)) {
    if (name === 'close') files.delete(descriptor);
    return false;
  }
  return selectors[name]?.(splitArguments(args)) ?? true;
}

const selectors = {
  // With SIG_DFL it is the start of every server, which takes back what its own parent has ignored.
  rt_sigaction: ([signal, action]) =>
    action !== 'NULL' && !action.includes('sa_handler=SIG_DFL') && !['SIGRTMIN', 'SIGRT_1'].includes(signal),
  rt_sigprocmask: ([how, set = '']) => how !== 'SIG_SETMASK' && /^\[\w/.test(set) && !/^\[(RTMIN|RT_1| )+\]$/.test(set),
  fcntl: ([, command]) => /^F_(SETFL|SETFD|SETSIG|SETOWN|SETOWN_EX|DUPFD\w*)$/.test(command),
};
