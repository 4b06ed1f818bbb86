// Reads what `strace -f -ttt -T -o FILE` writes.

/**
 * The lines as events in their order, each with its pid and the time in seconds:
 *   {kind: 'call', name, args, result, duration}   a whole call; the result may be '?'
 *   {kind: 'begin', name, args}                    its beginning, while another process is shown next
 *   {kind: 'end', name, args, result, duration}    its end, with the arguments that were not shown yet
 *   {kind: 'signal', signal, info}   {kind: 'exited', status}   {kind: 'killed', signal}
 * Lines that are none of these are left out.
 */
export function parseStrace(text) {
  return text.split('\n').map(parseLine).filter((event) => event !== null);
}

const forms = [
  [/^(\w+)\((.*?)\s*<unfinished \.\.\.>$/, ([name, args]) => ({ kind: 'begin', name, args })],
  [/^<\.\.\. (\w+) resumed>(.*)\)\s+= (.*?)(?: <([\d.]+)>)?$/, ([name, args, result, duration]) =>
    ({ kind: 'end', name, args: args.trimEnd(), result, duration: Number(duration ?? 0) })],
  // The last `) = ` is the one before the result: data of read and write may contain another.
  [/^(\w+)\((.*)\)\s+= (.*?)(?: <([\d.]+)>)?$/, ([name, args, result, duration]) =>
    ({ kind: 'call', name, args: args.replace(/\s*<unfinished \.\.\.>$/, ''), result, duration: Number(duration ?? 0) })],
  [/^--- (\w+) (?:\{(.*)\} )?---$/, ([signal, info = '']) => ({ kind: 'signal', signal, info })],
  [/^\+\+\+ exited with (\d+) \+\+\+$/, ([status]) => ({ kind: 'exited', status: Number(status) })],
  [/^\+\+\+ killed by (\w+).* \+\+\+$/, ([signal]) => ({ kind: 'killed', signal })],
];

function parseLine(line) {
  const [, pid, time, rest] = /^\s*(\d+)\s+(\d+\.\d+) (.*)$/.exec(line) ?? [];
  if (pid === undefined) return null;
  for (const [pattern, makeEvent] of forms) {
    const [whole, ...parts] = pattern.exec(rest) ?? [];
    if (whole !== undefined) return { pid: Number(pid), time: Number(time), ...makeEvent(parts) };
  }
  return null;
}

/**
 * Puts beginnings and ends together: a list of calls {kind: 'call', pid, name, args, result, begin, end},
 * of signals and of ends of processes (begin and end are equal), in the order in which they began. A
 * call that has not returned has the end Infinity and the result null.
 */
export function joinCalls(events) {
  const items = [];
  const open = new Map(); // pid to the call that has begun and not ended
  for (const { time, duration, ...event } of events) {
    if (event.kind === 'begin') {
      open.set(event.pid, add({ ...event, kind: 'call', result: null, begin: time, end: Infinity }));
    } else if (event.kind === 'end') {
      const call = open.get(event.pid);
      open.delete(event.pid);
      if (call === undefined) continue; // It began before the trace did.
      Object.assign(call, { args: joinArguments(call.args, event.args), result: event.result, end: time });
    } else {
      add({ ...event, begin: time, end: time + (duration ?? 0) });
    }
  }
  return items;

  function add(item) {
    items.push(item);
    return item;
  }
}

const joinArguments = (first, rest) => (first.endsWith(',') && rest ? `${first} ${rest.trimStart()}` : first + rest);

/** `3, {sa_family=AF_INET, ...}, [16]` as three texts: commas inside brackets and strings do not count. */
export function splitArguments(args) {
  const parts = [];
  let depth = 0;
  let start = 0;
  for (const { 0: token, index } of args.matchAll(/"(?:[^"\\]|\\.)*"|[([{]|[)\]}]|,/g)) {
    if ('([{'.includes(token)) depth += 1;
    else if (')]}'.includes(token)) depth -= 1;
    else if (token === ',' && depth === 0) {
      parts.push(args.slice(start, index).trim());
      start = index + 1;
    }
  }
  const last = args.slice(start).trim();
  return last === '' && parts.length === 0 ? [] : [...parts, last];
}
