// What the tools know of system calls.

/**
 * The calls that a trace shows. `?` in front: an architecture without this call is no error (arm64 has
 * neither fork nor select nor poll). The open family is traced to know which descriptors are files.
 */
export const tracedCalls = [
  'socket', 'bind', 'listen', 'accept', 'accept4', 'connect', 'shutdown', 'getsockname', 'getpeername', 'setsockopt',
  'getsockopt', 'socketpair', 'sendto', 'recvfrom', 'sendmsg', 'recvmsg', 'sendmmsg', 'recvmmsg',
  'read', 'write', 'readv', 'writev', 'pwritev2', 'close', 'close_range', 'splice', 'sendfile',
  'clone', 'clone3', 'fork', 'vfork', 'execve', 'execveat', 'wait4', 'waitid', 'exit', 'exit_group',
  'kill', 'tgkill', 'pidfd_open', 'pidfd_send_signal',
  'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'rt_sigsuspend', 'rt_sigtimedwait', 'signalfd', 'signalfd4', 'pause',
  'select', 'pselect6', 'poll', 'ppoll',
  'epoll_create', 'epoll_create1', 'epoll_ctl', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2',
  'io_uring_setup', 'io_uring_enter', 'io_uring_register',
  'fcntl', 'pipe', 'pipe2', 'dup', 'dup2', 'dup3', 'eventfd', 'eventfd2',
  'timerfd_create', 'timerfd_settime', 'nanosleep', 'clock_nanosleep', 'sched_setaffinity', 'restart_syscall',
  'open', 'openat',
].map((name) => `?${name}`).join(',');

// How many arguments are known when the call begins; the rest it fills in. Calls that are not named
// here have all of theirs from the beginning.
const givenArguments = {
  accept: 1, accept4: 1, read: 1, readv: 1, recvfrom: 1, recvmsg: 1, recvmmsg: 1,
  epoll_wait: 1, epoll_pwait: 1, epoll_pwait2: 1, wait4: 1, waitid: 2, rt_sigtimedwait: 1, nanosleep: 1, clock_nanosleep: 3,
};

/** How many of a call's `count` arguments its beginning shows. */
export const countGivenArguments = (name, count) => Math.min(givenArguments[name] ?? count, count);

/** Whether the beginning of a call shows all that it is asked to do. */
export const knowsAllArguments = (name) => !(name in givenArguments);

// Calls whose result is a new descriptor.
const openingCalls = new Set([
  'socket', 'accept', 'accept4', 'epoll_create', 'epoll_create1', 'io_uring_setup', 'eventfd', 'eventfd2',
  'timerfd_create', 'signalfd', 'signalfd4', 'dup', 'dup2', 'dup3', 'pidfd_open',
]);

export const opensDescriptor = (name) => openingCalls.has(name);

/** Calls that make a process or thread. */
export const isBirth = ({ name }) => ['clone', 'clone3', 'fork', 'vfork'].includes(name);

// Numbers of the calls in which a server may be seen to sleep (asm/unistd_64.h, asm-generic/unistd.h).
const numbers = {
  x64: {
    0: 'read', 1: 'write', 7: 'poll', 19: 'readv', 20: 'writev', 23: 'select', 34: 'pause', 35: 'nanosleep', 43: 'accept',
    44: 'sendto', 45: 'recvfrom', 46: 'sendmsg', 47: 'recvmsg', 61: 'wait4', 128: 'rt_sigtimedwait', 130: 'rt_sigsuspend',
    202: 'futex', 219: 'restart_syscall', 230: 'clock_nanosleep', 232: 'epoll_wait', 247: 'waitid', 270: 'pselect6',
    271: 'ppoll', 281: 'epoll_pwait', 288: 'accept4', 426: 'io_uring_enter', 441: 'epoll_pwait2',
  },
  arm64: {
    22: 'epoll_pwait', 63: 'read', 64: 'write', 65: 'readv', 66: 'writev', 72: 'pselect6', 73: 'ppoll', 95: 'waitid',
    98: 'futex', 101: 'nanosleep', 115: 'clock_nanosleep', 128: 'restart_syscall', 133: 'rt_sigsuspend',
    137: 'rt_sigtimedwait', 202: 'accept', 206: 'sendto', 207: 'recvfrom', 211: 'sendmsg', 212: 'recvmsg', 242: 'accept4',
    260: 'wait4', 426: 'io_uring_enter', 441: 'epoll_pwait2',
  },
};

const firstArgumentIsDescriptor = new Set([
  'read', 'write', 'readv', 'writev', 'accept', 'accept4', 'sendto', 'recvfrom', 'sendmsg', 'recvmsg',
  'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'io_uring_enter',
]);

/**
 * What a thread is blocked in, from the text of /proc/PID/task/TID/syscall: "read(4)", "futex",
 * "system call 999"; an empty text when it runs.
 */
export function describeBlockedCall(text, architecture = process.arch) {
  const [number, firstArgument] = text.trim().split(' ');
  if (!/^\d+$/.test(number)) return ''; // "running", or "-1" when it is blocked outside a system call
  const name = numbers[architecture]?.[number];
  if (name === undefined) return `system call ${number}`;
  return firstArgumentIsDescriptor.has(name) ? `${name}(${Number.parseInt(firstArgument, 16)})` : name;
}
