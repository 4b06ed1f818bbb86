// Turns the items of a trace into the story of a session: step by step, role by role.

import { describeBeginning, describeCall, describeItem, nameCall } from './describe-calls.mjs';
import { compareRoles, compressRoles, nameRoles } from './roles.mjs';
import { collapseRepeats } from './repeats.mjs';
import { isBirth } from './syscalls.mjs';

/**
 * Tells what happened in each of `steps`; the last one lasts to `end`. A step is {title, start, isEcho,
 * isBusy: whether the server had not come to rest when it ended}. Times are in seconds. Returns
 * [{title, heading, isEcho, lines, idle, calls, elapsed}]:
 *   heading  the title without what it says of the outcome
 *   lines    {role, text, isAsleep, call, returns}, or {role, turns, length}: the last `length` lines came `turns` times.
 *            `call` is what the line says of a call, as data (see describeCall), null where it is about none; `returns`
 *            are the names of the calls that come to their end in it
 *   idle     when there are no lines, what everybody does instead: {role, asleepIn} or {role, repeats: true}
 *   calls    names of the calls that came to their end in the step, without the repeated ones
 *   elapsed  seconds from the step's start to its last line
 *
 * The lines of one role stand together, and roles come in the order in which they first do something:
 * what several processes do side by side has no other order that is sure.
 */
export function tellStory(items, steps, end) {
  const calendar = new Calendar(steps, end);
  const roles = nameRoles(items, calendar.stepOf);
  const actors = [...roles].map(([pid, role]) => new Actor(role, items.filter((item) => item.pid === pid), roles, calendar));
  const births = findBirths(items, calendar);
  return steps.map(({ title, heading = title, isEcho = false, start }, step) => {
    const active = actors.filter((actor) => actor.runsOf(step).length > 0);
    const timeOf = (actor) => (births.stepOf.get(actor.pid) === step ? births.firstOf.get(step) : actor.runsOf(step)[0].entries[0].time);
    active.sort((a, b) => timeOf(a) - timeOf(b) || compareRoles(a.role, b.role));
    const runs = active.flatMap((actor) => actor.runsOf(step));
    return {
      title,
      heading,
      isEcho,
      lines: active.flatMap((actor) => actor.linesOf(step)),
      idle: active.length > 0 ? [] : actors.map((actor) => actor.describeIdling(step)).filter(Boolean),
      calls: runs.filter(({ turns }) => turns === 1).flatMap(({ entries: [{ calls }] }) => calls),
      elapsed: Math.max(0, ...runs.map(({ entries: [{ time }] }) => time - (step === 0 ? items[0].begin : start))),
    };
  });
}

/** Knows in which step a time falls; times after the end fall in the step behind the last. */
class Calendar {
  #steps;
  #starts;
  #end;

  constructor(steps, end) {
    this.#steps = steps;
    this.#starts = steps.map(({ start }) => start);
    this.#end = end;
  }

  stepOf = (time) => {
    if (time >= this.#end) return this.#starts.length;
    return Math.max(0, this.#starts.filter((start) => start <= time).length - 1);
  };

  isBusy(step) {
    return this.#steps[step]?.isBusy ?? false;
  }
}

/** For every pid the step of its birth, and for every step the time of its first birth. */
function findBirths(items, calendar) {
  const stepOf = new Map();
  const firstOf = new Map();
  for (const item of items.filter(isSuccessfulBirth)) {
    const step = calendar.stepOf(item.end);
    stepOf.set(Number(item.result), step);
    firstOf.set(step, Math.min(item.end, firstOf.get(step) ?? Infinity));
  }
  return { stepOf, firstOf };
}

const isSuccessfulBirth = (item) => item.kind === 'call' && isBirth(item) && Number(item.result) > 0;

/** One process or thread, with what it does in each step. */
class Actor {
  #entries;
  #runs;

  constructor(role, items, roles, calendar) {
    this.role = role;
    this.pid = items[0]?.pid;
    const entries = items.flatMap((item) => makeEntries(item, roles, calendar));
    this.#entries = joinBirths(entries, roles);
    this.#runs = collapseRepeats(this.#entries, ({ key }) => key);
  }

  runsOf(step) {
    return this.#runs.filter(({ entries: [first] }) => first.step === step);
  }

  linesOf(step) {
    return this.runsOf(step).flatMap(({ entries, turns }) => [
      ...entries.map(({ text, isAsleep, call, calls }) => ({ role: this.role, text, isAsleep, call, returns: calls })),
      ...(turns > 1 ? [{ role: this.role, turns, length: entries.length }] : []),
    ]);
  }

  /** What it does in a step in which it has no line of its own; null when there is nothing to say. */
  describeIdling(step) {
    if (this.#runs.some(({ entries: [first], last }) => first.step < step && last.step >= step)) {
      return { role: this.role, repeats: true };
    }
    const sleep = this.#entries.findLast(({ step: from, until }) => from < step && until > step);
    return sleep === undefined ? null : { role: this.role, asleepIn: sleep.text };
  }
}

// Seconds. In a busy step a call that crosses the border and is shorter was not asleep: the server
// spins, and the border fell into this call. The same goes for one that found nothing, however long a
// loaded machine took for it.
const shortestSleep = 0.01;

function isCutByBorder({ begin, end, result }) {
  return end - begin < shortestSleep || /EAGAIN/.test(result ?? '');
}

/**
 * The entries {step, until, time, text, isAsleep, key, call, calls, births} of an item: one, or two when it is a
 * call that falls asleep in one step and returns in a later one, `until`. Entries with the same key say
 * the same; null is like no other.
 */
function makeEntries(item, roles, calendar) {
  const [from, to] = [calendar.stepOf(item.begin), calendar.stepOf(item.end)];
  const text = describeItem(item, roles);
  const whole = {
    step: to, until: to, time: item.begin, text, isAsleep: false, key: text, call: describeCall(item, roles),
    calls: item.kind === 'call' ? [nameCall(item)] : [],
    births: isSuccessfulBirth(item) ? [item] : [],
  };
  if (from === to || (calendar.isBusy(from) && isCutByBorder(item))) return [whole];
  return [
    {
      step: from, until: to, time: item.begin, text: describeBeginning(item, roles), isAsleep: true, key: null,
      call: { ...whole.call, result: null }, calls: [], births: [],
    },
    { ...whole, time: item.end, text: `… ${text}`, key: null, births: [] },
  ];
}

/** Makes one entry of forks that follow each other: their results differ, so they are no repetition. */
function joinBirths(entries, roles) {
  const joined = [];
  for (const entry of entries) {
    const before = joined.at(-1);
    if (entry.births.length > 0 && before?.births.length > 0 && before.step === entry.step) {
      before.births.push(...entry.births);
      before.calls.push(...entry.calls);
      before.text = before.key = describeBirths(before.births, roles);
    } else {
      joined.push({ ...entry, births: [...entry.births], calls: [...entry.calls] });
    }
  }
  return joined;
}

function describeBirths(births, roles) {
  const born = births.map(({ result }) => roles.get(Number(result))).sort(compareRoles);
  return `${describeBeginning(births[0], roles)} = ${compressRoles(born)}   ${births.length} calls`;
}
