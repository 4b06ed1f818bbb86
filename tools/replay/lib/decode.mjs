// Writes system calls as strace does, from the numbers in the processor's registers and the memory that they point to.
//
// The texts go through the same describe-calls.mjs as the lines of a trace; `replay check` compares them with those of strace.

import { constants as osConstants } from 'node:os';

const longestText = 80; // bytes, as `strace -s 80`

/**
 * The arguments of a call as one text. `numbers` are the registers (BigInt); `result` is null while the call has not returned:
 * then what it fills in is an address. `notes`, an empty Map at the call's beginning, keeps what the call writes over.
 */
export async function decodeArguments(name, numbers, result, memory, notes = new Map()) {
  const form = forms[name];
  if (form === undefined) return numbers.slice(0, 3).map(hex).join(', ');
  const context = { numbers, result, memory, notes, hasResult: result !== null && result >= 0n };
  const parts = [];
  for (const [at, part] of form.entries()) {
    const text = await part(numbers[at], context);
    if (text !== null) parts.push(text);
  }
  return parts.join(', ');
}

/** The result as strace writes it: `4`, `-1 EAGAIN (Resource temporarily unavailable)`, `? ERESTARTSYS`, `0x2 (flags O_RDWR)`. */
export async function decodeResult(name, numbers, result, memory) {
  const number = Number(result);
  if (number < 0 && number >= -4095) return describeError(-number);
  return (await resultForms[name]?.({ numbers, result, memory })) ?? `${result}`;
}

const restarts = { 512: 'ERESTARTSYS', 513: 'ERESTARTNOINTR', 514: 'ERESTARTNOHAND', 516: 'ERESTART_RESTARTBLOCK' };
const reasons = {
  EAGAIN: 'Resource temporarily unavailable', EINTR: 'Interrupted system call', ECHILD: 'No child processes', EPIPE: 'Broken pipe',
  ECONNRESET: 'Connection reset by peer', EMFILE: 'Too many open files', ENOENT: 'No such file or directory', EINVAL: 'Invalid argument',
  EBADF: 'Bad file descriptor', ENOTCONN: 'Transport endpoint is not connected', EADDRINUSE: 'Address already in use',
  ENOTTY: 'Inappropriate ioctl for device', ETIME: 'Timer expired', ESPIPE: 'Illegal seek', ETIMEDOUT: 'Connection timed out',
};

const errorNames = Object.fromEntries(Object.entries(osConstants.errno).reverse().map(([name, number]) => [number, name])); // EAGAIN before EWOULDBLOCK

function describeError(number) {
  if (number in restarts) return `? ${restarts[number]}`;
  const name = errorNames[number] ?? `errno ${number}`;
  return reasons[name] === undefined ? `-1 ${name}` : `-1 ${name} (${reasons[name]})`;
}

// --- Parts of calls ---

const hex = (number) => (number === 0n ? 'NULL' : `0x${number.toString(16)}`);
const int = (number) => `${BigInt.asIntN(32, number)}`;
const size = (number) => `${number}`;
const address = hex;
const nothing = () => null;

const bits = (table, number, empty = '0') => {
  let rest = number;
  const names = [];
  for (const [name, bit] of table) {
    if (bit !== 0 && (rest & bit) === bit) {
      names.push(name);
      rest &= ~bit;
    }
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names.join('|') || empty;
};
const flags = (table, empty) => (number) => bits(table, Number(BigInt.asIntN(32, number)), empty);
const oneOf = (table) => (number) => table.find(([, value]) => value === Number(BigInt.asIntN(32, number)))?.[0] ?? int(number);

function quote(bytes) {
  const shown = bytes.subarray(0, longestText);
  let text = '';
  shown.forEach((byte, at) => {
    const simple = { 10: '\\n', 13: '\\r', 9: '\\t', 34: '\\"', 92: '\\\\', 11: '\\v', 12: '\\f' }[byte];
    if (simple !== undefined) text += simple;
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else {
      const isDigitNext = shown[at + 1] >= 48 && shown[at + 1] <= 57;
      text += `\\${byte.toString(8).padStart(isDigitNext ? 3 : 1, '0')}`;
    }
  });
  return `"${text}"${bytes.length > longestText ? '...' : ''}`;
}

const shorter = (length) => Math.min(Number(length), longestText + 1);
const bytesIn = (at) => async (number, { numbers, memory }) => quote(await memory.bytes(number, shorter(numbers[at])));
const bytesOut = async (number, { result, memory, hasResult }) => (hasResult ? quote(await memory.bytes(number, shorter(result))) : hex(number));

async function sockaddr(memory, number, length) {
  if (number === 0n) return 'NULL';
  const bytes = await memory.bytes(number, length);
  if (bytes.length < 8) return hex(number);
  const family = bytes.readUInt16LE(0);
  const port = bytes.readUInt16BE(2);
  if (family === 2) return `{sa_family=AF_INET, sin_port=htons(${port}), sin_addr=inet_addr("${[...bytes.subarray(4, 8)].join('.')}")}`;
  if (family === 10) return `{sa_family=AF_INET6, sin6_port=htons(${port}), sin6_flowinfo=htonl(0)}`;
  return family === 1 ? '{sa_family=AF_UNIX}' : hex(number);
}
const addressIn = (at) => (number, { numbers, memory }) => sockaddr(memory, number, Number(numbers[at]));
const addressOut = (at) => async (number, { numbers, memory, hasResult }) => {
  if (!hasResult || number === 0n) return hex(number);
  return sockaddr(memory, number, Math.min(28, (await memory.uint32(numbers[at])) ?? 0));
};
// The length goes in and comes out: [128 => 16].
const lengthOut = async (number, { memory, notes, result, hasResult }) => {
  if (number === 0n) return 'NULL';
  const length = await memory.uint32(number);
  if (result === null) notes.set(number, length);
  const before = notes.get(number) ?? length;
  return hasResult && before !== length ? `[${before} => ${length}]` : `[${before}]`;
};

const pollEvents = [['POLLIN', 1], ['POLLPRI', 2], ['POLLOUT', 4], ['POLLERR', 8], ['POLLHUP', 16], ['POLLNVAL', 32], ['POLLRDHUP', 0x2000]];

/** The list of poll(2): [{fd, events, revents}], the last two as text. */
export async function readPollList(memory, number, count) {
  const bytes = await memory.bytes(number, Number(count) * 8);
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, at) => ({
    fd: bytes.readInt32LE(at * 8),
    events: bits(pollEvents, bytes.readInt16LE(at * 8 + 4)),
    revents: bits(pollEvents, bytes.readInt16LE(at * 8 + 6)),
  }));
}
const pollList = async (number, { numbers, memory }) =>
  `[${(await readPollList(memory, number, numbers[1])).map(({ fd, events }) => `{fd=${fd}, events=${events}}`).join(', ')}]`;

export const epollEvents = [
  ['EPOLLIN', 1], ['EPOLLPRI', 2], ['EPOLLOUT', 4], ['EPOLLRDNORM', 0x40], ['EPOLLRDBAND', 0x80], ['EPOLLWRNORM', 0x100],
  ['EPOLLWRBAND', 0x200], ['EPOLLMSG', 0x400], ['EPOLLERR', 8], ['EPOLLHUP', 16], ['EPOLLRDHUP', 0x2000],
  ['EPOLLEXCLUSIVE', 0x10000000], ['EPOLLWAKEUP', 0x20000000], ['EPOLLONESHOT', 0x40000000], ['EPOLLET', 0x80000000 | 0],
];
export const nameEpollEvents = (number) => bits(epollEvents, number | 0);
const epollSize = process.arch === 'x64' ? 12 : 16; // packed on x86-64 alone
function epollEvent(bytes) {
  const at = epollSize === 12 ? 4 : 8;
  const data = bytes.readBigUInt64LE(at);
  return `{events=${nameEpollEvents(bytes.readUInt32LE(0))}, data=${data <= 0xffffffffn ? `{u32=${data}, u64=${data}}` : `{u32=${data & 0xffffffffn}, u64=${data}}`}}`;
}
const epollIn = async (number, { memory }) => (number === 0n ? 'NULL' : epollEvent(await memory.bytes(number, epollSize)));
const epollOut = async (number, { result, memory, hasResult }) => {
  if (!hasResult) return hex(number);
  const bytes = await memory.bytes(number, Number(result) * epollSize);
  return `[${Array.from({ length: Number(result) }, (_, at) => epollEvent(bytes.subarray(at * epollSize))).join(', ')}]`;
};

/** The descriptors of a set of select(2). */
export async function readFdSet(memory, number, count) {
  if (number === 0n) return null;
  const bytes = await memory.bytes(number, Math.ceil(Number(count) / 64) * 8);
  return Array.from({ length: Number(count) }, (_, fd) => fd).filter((fd) => bytes[fd >> 3] & (1 << (fd & 7)));
}
// The call writes over what it was asked.
const fdSet = async (number, { numbers, memory, notes, result }) => {
  if (result === null) notes.set(number, await readFdSet(memory, number, numbers[0]));
  const list = notes.get(number);
  return list ? `[${list.join(' ')}]` : 'NULL';
};

const timespec = async (number, { memory }) => {
  if (number === 0n) return 'NULL';
  const bytes = await memory.bytes(number, 16);
  return bytes.length < 16 ? hex(number) : `{tv_sec=${bytes.readBigInt64LE(0)}, tv_nsec=${bytes.readBigInt64LE(8)}}`;
};

const otherNames = new Set(['SIGPOLL', 'SIGIOT']); // of SIGIO and SIGABRT
const signalNames = Object.fromEntries(Object.entries(osConstants.signals).filter(([name]) => !otherNames.has(name)).map(([name, number]) => [number, name]));
export const nameSignal = (number) => signalNames[number] ?? (number >= 32 ? (number === 32 ? 'SIGRTMIN' : `SIGRT_${number - 32}`) : `${number}`);
const signal = (number) => nameSignal(Number(number));
const signalSet = async (number, { memory }) => {
  if (number === 0n) return 'NULL';
  const set = (await memory.bytes(number, 8)).readBigUInt64LE(0);
  if (set === 0xffffffffffffffffn) return '~[]';
  const list = Array.from({ length: 64 }, (_, at) => at + 1).filter((at) => set & (1n << BigInt(at - 1)));
  return list.length > 32 ? '~[…]' : `[${list.map((at) => nameSignal(at).replace(/^SIG/, '')).join(' ')}]`;
};
const actionFlags = [['SA_RESTORER', 0x4000000], ['SA_NOCLDSTOP', 1], ['SA_NOCLDWAIT', 2], ['SA_SIGINFO', 4], ['SA_ONSTACK', 0x8000000],
  ['SA_RESTART', 0x10000000], ['SA_NODEFER', 0x40000000]];
const action = async (number, { memory }) => {
  if (number === 0n) return 'NULL';
  const bytes = await memory.bytes(number, 32);
  if (bytes.length < 32) return hex(number);
  const handler = bytes.readBigUInt64LE(0);
  const how = Number(bytes.readBigUInt64LE(8));
  const name = how & 4 ? 'sa_sigaction' : 'sa_handler';
  const mask = await signalSet(number + 24n, { memory });
  const value = handler === 0n ? 'SIG_DFL' : handler === 1n ? 'SIG_IGN' : hex(handler);
  return `{${handler <= 1n ? 'sa_handler' : name}=${value}, sa_mask=${mask}, sa_flags=${bits(actionFlags, how)}`
    + `${how & 0x4000000 ? `, sa_restorer=${hex(bytes.readBigUInt64LE(16))}` : ''}}`;
};

const pollCodes = { 1: 'POLL_IN', 2: 'POLL_OUT', 3: 'POLL_MSG', 4: 'POLL_ERR', 5: 'POLL_PRI', 6: 'POLL_HUP' };
const signalInfo = async (number, { memory, hasResult }) => {
  if (number === 0n || !hasResult) return hex(number);
  const bytes = await memory.bytes(number, 32);
  const [code, band, fd] = [bytes.readInt32LE(8), bytes.readBigInt64LE(16), bytes.readInt32LE(24)];
  const signalName = nameSignal(bytes.readInt32LE(0));
  return pollCodes[code] === undefined ? `{si_signo=${signalName}, si_code=${code}}` : `{si_signo=${signalName}, si_code=${pollCodes[code]}, si_band=${band}, si_fd=${fd}}`;
};

const waitStatus = async (number, { result, memory, hasResult }) => {
  if (number === 0n) return 'NULL';
  if (!hasResult || result === 0n) return hex(number);
  const status = await memory.uint32(number);
  return (status & 0x7f) === 0
    ? `[{WIFEXITED(s) && WEXITSTATUS(s) == ${(status >> 8) & 0xff}}]`
    : `[{WIFSIGNALED(s) && WTERMSIG(s) == ${nameSignal(status & 0x7f)}}]`;
};

const openFlags = [['O_WRONLY', 1], ['O_RDWR', 2], ['O_APPEND', 0o2000], ['O_NONBLOCK', 0o4000], ['FASYNC', 0o20000], ['O_CLOEXEC', 0o2000000]];
const socketFlags = [['SOCK_CLOEXEC', 0o2000000], ['SOCK_NONBLOCK', 0o4000]];
const socketType = (number) => {
  const value = Number(number);
  const extra = bits(socketFlags, value & ~0xf, '');
  return [['', 'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW', '', 'SOCK_SEQPACKET'][value & 0xf], extra].filter(Boolean).join('|');
};
const families = oneOf([['AF_UNIX', 1], ['AF_INET', 2], ['AF_INET6', 10], ['AF_NETLINK', 16]]);
const protocol = (number) => ['IPPROTO_IP', ...Array(5), 'IPPROTO_TCP'][Number(number)] ?? int(number);
const shutdownHow = oneOf([['SHUT_RD', 0], ['SHUT_WR', 1], ['SHUT_RDWR', 2]]);
const messageFlags = flags([['MSG_PEEK', 2], ['MSG_DONTWAIT', 0x40], ['MSG_WAITALL', 0x100], ['MSG_NOSIGNAL', 0x4000], ['MSG_CMSG_CLOEXEC', 0x40000000]]);
const levels = oneOf([['SOL_IP', 0], ['SOL_SOCKET', 1], ['SOL_TCP', 6], ['SOL_IPV6', 41]]);
const optionNames = {
  1: { 2: 'SO_REUSEADDR', 3: 'SO_TYPE', 4: 'SO_ERROR', 7: 'SO_SNDBUF', 8: 'SO_RCVBUF', 9: 'SO_KEEPALIVE', 10: 'SO_OOBINLINE', 13: 'SO_LINGER', 15: 'SO_REUSEPORT', 30: 'SO_ACCEPTCONN', 56: 'SO_INCOMING_NAPI_ID', 39: 'SO_DOMAIN', 38: 'SO_PROTOCOL' },
  6: { 1: 'TCP_NODELAY', 9: 'TCP_DEFER_ACCEPT', 11: 'TCP_INFO' },
  41: { 26: 'IPV6_V6ONLY' },
};
const optionName = (number, { numbers }) => optionNames[Number(numbers[1])]?.[Number(number)] ?? int(number);
const optionValue = async (number, { numbers, memory }) => (numbers[4] === 4n ? `[${(await memory.bytes(number, 4)).readInt32LE(0)}]` : hex(number));
const optionOut = async (number, { numbers, memory, hasResult }) => {
  if (!hasResult) return hex(number);
  const length = await memory.uint32(numbers[4]);
  return length === 4 ? `[${(await memory.bytes(number, 4)).readInt32LE(0)}]` : quote(await memory.bytes(number, shorter(length)));
};
const fcntlCommands = [['F_DUPFD', 0], ['F_GETFD', 1], ['F_SETFD', 2], ['F_GETFL', 3], ['F_SETFL', 4], ['F_SETOWN', 8], ['F_GETOWN', 9],
  ['F_SETSIG', 10], ['F_SETOWN_EX', 15], ['F_DUPFD_CLOEXEC', 1030], ['F_ADD_SEALS', 1033]];
const fcntlValue = (number, { numbers }) => {
  const command = Number(numbers[1]);
  if ([1, 3, 9].includes(command)) return null;
  if (command === 2) return bits([['FD_CLOEXEC', 1]], Number(number));
  if (command === 4) return describeOpenFlags(Number(number));
  return command === 10 ? nameSignal(Number(number)) : int(number);
};
const describeOpenFlags = (number) => [(number & 3) === 0 ? 'O_RDONLY' : '', bits(openFlags, number & ~0o100000, '')].filter(Boolean).join('|');
const cloneFlags = [['CLONE_VM', 0x100], ['CLONE_FS', 0x200], ['CLONE_FILES', 0x400], ['CLONE_SIGHAND', 0x800], ['CLONE_VFORK', 0x4000],
  ['CLONE_THREAD', 0x10000], ['CLONE_SYSVSEM', 0x40000], ['CLONE_SETTLS', 0x80000], ['CLONE_PARENT_SETTID', 0x100000],
  ['CLONE_CHILD_CLEARTID', 0x200000], ['CLONE_CHILD_SETTID', 0x1000000]];
const clone = (number) => `flags=${bits(cloneFlags, Number(number) & ~0xff)}|SIGCHLD`;
const clone3 = async (number, { memory }) => `{flags=${bits(cloneFlags, (await memory.bytes(number, 8)).readUInt32LE(0))}}`;

const enterFlags = flags([['IORING_ENTER_GETEVENTS', 1], ['IORING_ENTER_SQ_WAKEUP', 2], ['IORING_ENTER_SQ_WAIT', 4], ['IORING_ENTER_EXT_ARG', 8], ['IORING_ENTER_REGISTERED_RING', 16]]);
const setupFlags = [['IORING_SETUP_IOPOLL', 1], ['IORING_SETUP_SQPOLL', 2], ['IORING_SETUP_SQ_AFF', 4], ['IORING_SETUP_CQSIZE', 8], ['IORING_SETUP_CLAMP', 16],
  ['IORING_SETUP_ATTACH_WQ', 32], ['IORING_SETUP_R_DISABLED', 64], ['IORING_SETUP_SUBMIT_ALL', 0x80], ['IORING_SETUP_COOP_TASKRUN', 0x100], ['IORING_SETUP_TASKRUN_FLAG', 0x200],
  ['IORING_SETUP_SINGLE_ISSUER', 0x1000], ['IORING_SETUP_DEFER_TASKRUN', 0x2000]];
const setupParameters = async (number, { memory }) => `{flags=${bits(setupFlags, (await memory.bytes(number, 12)).readUInt32LE(8))}, sq_thread_cpu=0}`;
const registerWhat = oneOf([['IORING_REGISTER_BUFFERS', 0], ['IORING_UNREGISTER_BUFFERS', 1], ['IORING_REGISTER_FILES', 2], ['IORING_REGISTER_EVENTFD', 4],
  ['IORING_UNREGISTER_EVENTFD', 5], ['IORING_REGISTER_EVENTFD_ASYNC', 7], ['IORING_REGISTER_PROBE', 8], ['IORING_REGISTER_RING_FDS', 20],
  ['IORING_UNREGISTER_RING_FDS', 21], ['IORING_REGISTER_PBUF_RING', 22], ['IORING_UNREGISTER_PBUF_RING', 23]]);
const textAt = async (number, { memory }) => `"${await memory.text(number)}"`;
const wordsAt = async (number, { memory }) => {
  const words = [];
  for (let at = number; words.length < 32; at += 8n) {
    const word = (await memory.bytes(at, 8)).readBigUInt64LE(0);
    if (word === 0n) break;
    words.push(`"${await memory.text(word)}"`);
  }
  return `[${words.join(', ')}]`;
};
const epollOperation = oneOf([['EPOLL_CTL_ADD', 1], ['EPOLL_CTL_DEL', 2], ['EPOLL_CTL_MOD', 3]]);
const pair = async (number, { memory, hasResult }) => {
  if (!hasResult) return hex(number);
  const bytes = await memory.bytes(number, 8);
  return `[${bytes.readInt32LE(0)}, ${bytes.readInt32LE(4)}]`;
};
const creationFlags = flags([['O_CLOEXEC', 0o2000000], ['O_NONBLOCK', 0o4000]]);

const forms = {
  socket: [families, socketType, protocol],
  socketpair: [families, socketType, int, pair],
  bind: [int, addressIn(2), size],
  connect: [int, addressIn(2), size],
  listen: [int, int],
  accept: [int, addressOut(2), lengthOut],
  accept4: [int, addressOut(2), lengthOut, flags(socketFlags)],
  getsockname: [int, addressOut(2), lengthOut],
  getpeername: [int, addressOut(2), lengthOut],
  shutdown: [int, shutdownHow],
  setsockopt: [int, levels, optionName, optionValue, size],
  getsockopt: [int, levels, optionName, optionOut, lengthOut],
  sendto: [int, bytesIn(2), size, messageFlags, address, int],
  recvfrom: [int, bytesOut, size, messageFlags, address, address],
  sendmsg: [int, address, messageFlags],
  recvmsg: [int, address, messageFlags],
  read: [int, bytesOut, size],
  write: [int, bytesIn(2), size],
  close: [int],
  dup: [int], dup2: [int, int], dup3: [int, int, creationFlags],
  pipe2: [pair, creationFlags],
  fork: [], vfork: [], clone: [clone], clone3: [clone3],
  execve: [textAt, wordsAt, address],
  wait4: [int, waitStatus, flags([['WNOHANG', 1], ['WUNTRACED', 2]]), address],
  exit: [int], exit_group: [int],
  kill: [int, signal], tgkill: [int, int, signal],
  pidfd_open: [int, int],
  rt_sigaction: [signal, action, address, size],
  rt_sigprocmask: [oneOf([['SIG_BLOCK', 0], ['SIG_UNBLOCK', 1], ['SIG_SETMASK', 2]]), signalSet, address, size],
  rt_sigreturn: [],
  rt_sigsuspend: [signalSet, size],
  rt_sigtimedwait: [signalSet, signalInfo, timespec, size],
  pause: [],
  poll: [pollList, size, int],
  ppoll: [pollList, size, timespec, address, size],
  select: [int, fdSet, fdSet, fdSet, address],
  pselect6: [int, fdSet, fdSet, fdSet, timespec, (number) => (number === 0n ? 'NULL' : '{…}')],
  epoll_create1: [flags([['EPOLL_CLOEXEC', 0o2000000]])],
  epoll_ctl: [int, epollOperation, int, epollIn],
  epoll_wait: [int, epollOut, int, int],
  epoll_pwait: [int, epollOut, int, int, address, size],
  io_uring_setup: [int, setupParameters],
  io_uring_enter: [int, int, int, enterFlags, address, size],
  io_uring_register: [int, registerWhat, address, int],
  fcntl: [int, oneOf(fcntlCommands), fcntlValue],
  eventfd2: [int, flags([['EFD_CLOEXEC', 0o2000000], ['EFD_NONBLOCK', 0o4000]])],
  signalfd4: [int, signalSet, size, flags([['SFD_CLOEXEC', 0o2000000], ['SFD_NONBLOCK', 0o4000]])],
  timerfd_create: [int, int],
  nanosleep: [timespec, address],
  clock_nanosleep: [oneOf([['CLOCK_REALTIME', 0], ['CLOCK_MONOTONIC', 1]]), int, timespec, address],
  open: [textAt], openat: [nothing, textAt],
};

const resultForms = {
  poll: async ({ numbers, result, memory }) => {
    if (result === 0n) return '0 (Timeout)';
    const ready = (await readPollList(memory, numbers[0], numbers[1])).filter(({ revents }) => revents !== '0');
    return `${result} ([${ready.map(({ fd, revents }) => `{fd=${fd}, revents=${revents}}`).join(', ')}])`;
  },
  pselect6: (context) => describeSets(context),
  select: (context) => describeSets(context),
  rt_sigtimedwait: ({ result }) => `${result} (${nameSignal(Number(result))})`,
  fcntl: ({ numbers, result }) => {
    if (Number(numbers[1]) === 3) return `0x${result.toString(16)} (flags ${describeOpenFlags(Number(result))})`;
    return Number(numbers[1]) === 1 && result === 1n ? '0x1 (flags FD_CLOEXEC)' : null;
  },
};

async function describeSets({ numbers, result, memory }) {
  if (result === 0n) return '0 (Timeout)';
  const parts = [];
  for (const [at, name] of ['in', 'out', 'except'].entries()) {
    const list = await readFdSet(memory, numbers[at + 1], numbers[0]);
    if (list?.length > 0) parts.push(`${name} [${list.join(' ')}]`);
  }
  return `${result} (${parts.join(', ')})`;
}

const codes = { 0: 'SI_USER', '-6': 'SI_TKILL', 128: 'SI_KERNEL' };
const childCodes = { 1: 'CLD_EXITED', 2: 'CLD_KILLED', 3: 'CLD_DUMPED', 4: 'CLD_TRAPPED', 5: 'CLD_STOPPED', 6: 'CLD_CONTINUED' };

/** The siginfo of a signal that has been delivered, as strace writes it. */
export function describeInfo(signal, code, sender, status, fd, band) {
  const name = nameSignal(signal);
  if (name === 'SIGCHLD' && code in childCodes) return `si_signo=SIGCHLD, si_code=${childCodes[code]}, si_pid=${sender}, si_status=${status}`;
  if (code in codes) return `si_signo=${name}, si_code=${codes[code]}, si_pid=${sender}`;
  const poll = pollCodes[code];
  return poll === undefined ? `si_signo=${name}, si_code=${code}` : `si_signo=${name}, si_code=${poll}, si_band=${band}, si_fd=${fd}`;
}

/** What a call of select(2) watches: [{fd, events: `readable`, `writable` or both}]. */
export async function readSelectLists(memory, numbers) {
  const [readable, writable] = [await readFdSet(memory, numbers[1], numbers[0]) ?? [], await readFdSet(memory, numbers[2], numbers[0]) ?? []];
  return [...new Set([...readable, ...writable])].sort((a, b) => a - b)
    .map((fd) => ({ fd, events: [readable.includes(fd) ? 'readable' : '', writable.includes(fd) ? 'writable' : ''].filter(Boolean).join('|') }));
}
