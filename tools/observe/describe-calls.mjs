// Writes a system call, a signal or an end as one line of a trace.

import { constants } from 'node:os';
import { describePid, isThread } from './roles.mjs';
import { splitArguments } from './strace-lines.mjs';
import { countGivenArguments, isBirth, knowsAllArguments } from './syscalls.mjs';

/** The line of an item that has come to its end. */
export function describeItem(item, roles) {
  return describers[item.kind](item, roles);
}

const describers = {
  call: (item, roles) => {
    if (item.interrupted) return `${closeBracket(describeBeginning(item, roles))} is interrupted by a signal`;
    if (isBirth(item)) return `${describeBirth(item)} = ${describeResult(item, roles)}`;
    const call = `${item.name}(${shortenArguments(item, roles).join(', ')})`;
    return item.result === '?' ? call : `${call} = ${describeResult(item, roles)}`;
  },
  signal: (item, roles) => `--- ${describeSignal(item, roles)}${item.ignored ? ' (ignored)' : ''} ---`,
  'handler-end': ({ call, restarts }) => {
    if (call === null) return 'the handler returns';
    return restarts ? `the handler returns; ${call} starts again` : `the handler returns; ${call} returns -1 EINTR`;
  },
  exited: ({ status }) => `+++ exited with ${status} +++`,
  killed: ({ signal }) => `+++ killed by ${signal} +++`,
};

/** A call as far as it is known when it begins: `accept(3, …`, or all of it: `poll([...], 1, -1)`. */
export function describeBeginning(item, roles) {
  if (isBirth(item)) return describeBirth(item);
  const args = shortenArguments(item, roles);
  const given = args.slice(0, countGivenArguments(item.name, args.length)).join(', ');
  return `${item.name}(${given}${knowsAllArguments(item.name) ? ')' : ', …'}`;
}

/** The beginning of a call as a word in a sentence: `accept(3, …)`. */
export const closeBracket = (beginning) => (beginning.endsWith('…') ? `${beginning})` : beginning);

/**
 * A call as data: {name, args: [text...], result: the text, or null where it has none (yet)}; the end of a signal's handler
 * is what the interrupted call returns. Null for what is no call.
 */
export function describeCall(item, roles) {
  if (item.kind === 'handler-end') return item.call && !item.restarts ? { name: item.call, args: ['…'], result: '-1 EINTR' } : null;
  if (item.kind !== 'call') return null;
  const args = isBirth(item) ? [] : shortenArguments(item, roles);
  const hasResult = !item.interrupted && item.result !== '?' && item.result !== null;
  return { name: nameCall(item), args, result: hasResult ? describeResult(item, roles) : null };
}

// Which of its calls the C library takes for a birth depends on its version; what is born does not.
function describeBirth(item) {
  return `${nameCall(item)}(${isThread(item) ? 'thread' : ''})`;
}

/** The name of a call, as the lines of a trace have it. */
export function nameCall(item) {
  if (!isBirth(item)) return item.name;
  if (isThread(item)) return 'clone';
  return item.name === 'vfork' || item.args.includes('CLONE_VFORK') ? 'vfork' : 'fork';
}

function describeResult(item, roles) {
  const result = item.result ?? '';
  const givesPid = isBirth(item) || item.name === 'wait4';
  if (givesPid && Number(result) > 0) return describePid(roles, result);
  return hideAddresses(result).replace(/left \{[^}]*\}/, 'left {…}');
}

function describeSignal({ signal, info }, roles) {
  const pid = /si_pid=(\d+)/.exec(info)?.[1];
  const code = /si_code=(\w+)/.exec(info)?.[1];
  const who = pid && (pid === '0' ? 'the kernel' : describePid(roles, pid));
  if (code === 'CLD_EXITED') return `SIGCHLD: ${who} has ended`;
  if (code === 'CLD_KILLED' || code === 'CLD_DUMPED') return `SIGCHLD: ${who} was killed`;
  if (code === 'SI_USER' || code === 'SI_TKILL') return `${signal}: sent by ${who}`;
  const details = nameSource(info).split(', ').filter((part) => /^si_(code|fd|band)=/.test(part) && !/SI_KERNEL/.test(part));
  return [signal, details.join(', ')].filter(Boolean).join(': ');
}

// strace takes what F_SETSIG sends for a signal with a value: the same bytes are the event and the descriptor.
const sources = { '0x1': 'POLL_IN', '0x2': 'POLL_OUT', '0x3': 'POLL_MSG', '0x4': 'POLL_ERR', '0x5': 'POLL_PRI', '0x6': 'POLL_HUP' };

function nameSource(info) {
  return info.replace(/si_code=(0x[1-6]), si_pid=(\d+), si_uid=\d+, si_(?:int|value)=(\d+), si_ptr=\w+/,
    (_, code, band, fd) => `si_code=${sources[code]}, si_band=${band}, si_fd=${fd}`);
}

function shortenArguments({ name, args }, roles) {
  const parts = splitArguments(args);
  const shorten = shorteners[name];
  return (shorten ? shorten(parts, roles) : parts).map((part) => hideAddresses(shortenSocketAddress(part)));
}

// What signalfd(2) gives to read, as bytes: the number of the signal comes first, and the sender's, which differs from run to run, later.
const signalBytes = /^"\\([0-7]+)\\0\\0\\0\\0\\0\\0\\0/;
const signalSize = '128';

function shortenSignal(data) {
  const [, digits] = signalBytes.exec(data);
  const number = Number.parseInt(digits, 8);
  return `{ssi_signo=${Object.keys(constants.signals).find((name) => constants.signals[name] === number) ?? number}, …}`;
}

const shorteners = {
  read: ([fd, data, size]) => [fd, size === signalSize && signalBytes.test(data) ? shortenSignal(data) : data, size],
  getsockopt: ([fd, level, option, value, size]) => [fd, level, option, value.startsWith('"') ? '{…}' : value, size], // as TCP_INFO
  rt_sigaction: ([signal, action, , ...rest]) => [signal, shortenAction(action), ...rest.length ? ['NULL'] : []],
  execve: ([path, argv]) => [shortenPath(path), argv.replace(/^\["[^"]*\//, '["…/'), '…'],
  execveat: ([directory, path, ...rest]) => [directory, shortenPath(path), ...rest.slice(-1)],
  kill: ([pid, signal], roles) => [describeTarget(roles, pid), signal],
  tgkill: ([pid, thread, signal], roles) => [describeTarget(roles, pid), describeTarget(roles, thread), signal],
  wait4: ([pid, ...rest], roles) => [describeTarget(roles, pid), ...rest],
  waitid: ([kind, pid, info, ...rest], roles) => [kind, describeTarget(roles, pid), info.startsWith('{') ? '{…}' : info, ...rest],
  rt_sigtimedwait: ([set, info, ...rest]) => [set, nameSource(info), ...rest],
  io_uring_setup: ([entries, parameters]) => [entries, `{flags=${nameSetupFlags(parameters)}, …}`],
  io_uring_register: ([ring, what, , ...rest]) => [ring, what, '…', ...rest],
  pidfd_open: ([pid, flags], roles) => [describeTarget(roles, pid), flags],
  fcntl: ([fd, command, value], roles) =>
    [fd, command, ...(value === undefined ? [] : [command === 'F_SETOWN' ? describeTarget(roles, value) : value])],
};

// Flags that strace knows or does not know, according to its release: `flags=0x3000 /* IORING_SETUP_??? */`.
const setupFlags = { 0x100: 'IORING_SETUP_COOP_TASKRUN', 0x1000: 'IORING_SETUP_SINGLE_ISSUER', 0x2000: 'IORING_SETUP_DEFER_TASKRUN' };

function nameSetupFlags(parameters) {
  const flags = /flags=([^, ]+)/.exec(parameters)?.[1] ?? '0';
  const names = flags.split('|').flatMap((word) => {
    const bits = Number(word);
    if (!Number.isInteger(bits) || bits === 0) return [word];
    const known = Object.keys(setupFlags).filter((bit) => bits & bit);
    const rest = known.reduce((left, bit) => left & ~bit, bits);
    return [...known.map((bit) => setupFlags[bit]), ...(rest === 0 ? [] : [`0x${rest.toString(16)}`])];
  });
  return names.join('|');
}

const shortenPath = (path) => path.replace(/^"[^"]*\//, '"…/');

function shortenAction(action) {
  return action
    .replace(/SA_RESTORER\|/, '').replace(/\|SA_RESTORER/, '').replace(/SA_RESTORER/, '0')
    .replace(/, sa_restorer=\w+/, '')
    .replace(/sa_(handler|sigaction)=0x[0-9a-f]+/, 'sa_$1=…');
}

// -1 and 0 mean "any"; a negative number names a process group.
function describeTarget(roles, pid) {
  const number = Number(pid);
  if (!Number.isInteger(number) || number === -1 || number === 0) return pid;
  return number < 0 ? `-${describePid(roles, -number)}` : describePid(roles, number);
}

function shortenSocketAddress(part) {
  return part
    .replace(/(\{sa_family=AF_INET, sin_port=[^,]+), [^}]*\}/g, '$1, …}')
    .replace(/(\{sa_family=AF_INET6, sin6_port=[^,]+), [^}]*\}/g, '$1, …}');
}

// Addresses in memory differ from run to run; short hexadecimal numbers are flags and stay.
const hideAddresses = (text) => text
  .replace(/\b0x[0-9a-f]{6,}\b/g, '…')
  .replace(/\b(u64|ptr|user_data)=\d{7,}/g, '$1=…')
  .replace(/\bu32=\d{6,}, /g, '');
