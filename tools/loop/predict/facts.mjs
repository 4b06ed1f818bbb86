// Facts of a story (tools/observe/story.mjs): what every recording of the same session says, and nothing that depends on
// the moment: no port, no pid, no order of processes that run side by side.

/** What a role is: the roles of one kind differ by chance alone. */
export const kindOf = (role) => role.replace(/ \d+$/, '');

export const kinds = ['server', 'child', 'thread'];

/** The kinds that take part in one of the stories, in the order of `kinds`. */
export function kindsIn(...stories) {
  const roles = stories.flatMap((story) => story.flatMap(({ lines }) => lines.map(({ role }) => role)));
  return kinds.filter((kind) => roles.some((role) => kindOf(role) === kind));
}

export const findStep = (story, heading) => story.findIndex((step) => step.heading === heading);

/** The lines of a kind in a step; null when two of that kind have one: then their order is a matter of chance. */
export function linesOf(story, heading, kind) {
  const lines = (story[findStep(story, heading)]?.lines ?? []).filter(({ role }) => kindOf(role) === kind);
  return new Set(lines.map(({ role }) => role)).size > 1 ? null : lines;
}

// Calls that are the same one for a learner: with a flag argument more, or by the kernel's name on another machine.
const families = [['accept', 'accept4'], ['poll', 'ppoll'], ['select', 'pselect6'], ['epoll_wait', 'epoll_pwait', 'epoll_pwait2'],
  ['read', 'recvfrom', 'recvmsg', 'readv'], ['write', 'sendto', 'sendmsg', 'writev'], ['exit', 'exit_group']];

/** The first name of the calls that do the same as `name`. */
export const familyOf = (name) => families.find((family) => family.includes(name))?.[0] ?? name;

/** Names of all calls in a step, or in the whole story, each once. */
export function namesIn(story, heading) {
  const steps = heading === undefined ? story : story.filter((step) => step.heading === heading);
  return [...new Set(steps.flatMap(({ lines }) => lines.flatMap(({ call }) => call?.name ?? [])))];
}

/** A result without the words that explain it: `-1 EAGAIN`, `1`; 'child' for the number of a new process. */
export function shortenResult(result) {
  return /^(child|thread) \d/.test(result) ? kindOf(result.split(' … ')[0]) : result.replace(/ \(.*$/, '');
}

/** Whether a result is the same in every recording: a larger number is the length of a port's digits, a signal's, a buffer's. */
export const isSureResult = (result) => /^(-1 \w+|\d|1[0-2]|child|thread)$/.test(result);

/** `read(4, …) = 6`: as much of a call as is the same in every recording. */
export function describeShortly({ name, args, result }) {
  const first = /^-?\w{1,3}$/.test(args[0] ?? '') ? args[0] : '…';
  const words = args.length === 0 ? '' : args.length === 1 ? first : first === '…' ? '…' : `${first}, …`;
  const short = result === null ? null : shortenResult(result);
  return `${name}(${words})${short === null ? '' : ` = ${isSureResult(short) ? short : '…'}`}`;
}

const spins = 20; // turns after which what is repeated is no coincidence

/**
 * What each role does when a step is over: a map from role to the name of the call in which it is asleep, to 'spins' or
 * 'ended', or to null where the trace does not tell (it may wait for a lock).
 */
export function restAfter(story, step) {
  const rest = new Map();
  for (const { role, isAsleep, call, turns, text } of story.slice(0, step + 1).flatMap(({ lines }) => lines)) {
    if (turns !== undefined) rest.set(role, turns > spins ? 'spins' : null);
    else if (/^\+\+\+ /.test(text)) rest.set(role, 'ended');
    else rest.set(role, isAsleep ? call.name : null);
  }
  return rest;
}

/** Calls that make a process or a thread. */
export const births = ['fork', 'vfork', 'clone'];

/** How many processes and threads the server consists of when a step is over: also those that have made no call yet. */
export function countAlive(story, step) {
  const lines = story.slice(0, step + 1).flatMap((one) => one.lines);
  const born = lines.flatMap(({ returns = [] }) => returns).filter((name) => births.includes(name)).length;
  return 1 + born - lines.filter(({ text }) => /^\+\+\+ /.test(text)).length;
}

/** How many calls of that name come to their end in a step, or in the whole story. Infinity where a loop repeats them. */
export function countCalls(story, name, heading) {
  const steps = heading === undefined ? story : story.filter((step) => step.heading === heading);
  if (steps.some(({ lines }) => lines.some(({ turns }, at) => turns > 1 && isRepeated(lines, at, name)))) return Infinity;
  return steps.flatMap(({ lines }) => lines.flatMap(({ returns = [] }) => returns)).filter((other) => other === name).length;
}

const isRepeated = (lines, at, name) => lines.slice(at - lines[at].length, at).some(({ call }) => call?.name === name);

/** The step in which the echo is made, or undefined. */
export const echoOf = (story) => story.find(({ isEcho }) => isEcho);

/** How many calls one echo takes; null without an echo, or where calls are repeated beside it. */
export function countEchoCalls(story) {
  const echo = echoOf(story);
  return echo === undefined || echo.lines.some(({ turns }) => turns > 1) ? null : echo.calls.length;
}
