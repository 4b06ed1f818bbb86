// From what the measuring programs print to the results file that the texts and the plots are made of.

import { hindranceOf } from './plan.mjs';

// `runs`: what was measured, each {job, date, output}, output being the program's JSON.
export function makeResults({ machine, settings, servers, loads, leftOut, runs }) {
  const of = (kind) => runs.filter(({ job }) => job.kind === kind);
  const dates = runs.map(({ date }) => date).sort();
  return {
    format: 1,
    machine: { ...machine, first_day: dates.at(0) ?? null, last_day: dates.at(-1) ?? null },
    settings,
    servers,
    loads,
    against_baseline: widenNulls(of('compare').map(({ job, date, output }) => ({ server: job.server, load: job.load.id, date, ...describeComparison(output) }))),
    left_out: leftOut,
    counted: of('count').flatMap(({ job, output }) => output.map((entry) => ({ server: job.server, ...without(entry, 'command') }))),
    memory: of('memory').flatMap(({ job, output }) => output.map((entry) => ({
      server: job.server, clients: entry.clients, bytes_per_client: Math.round(entry.bytes_per_client),
    }))),
    idle: of('idle').flatMap(({ job, output }) => output.map((entry) => ({
      server: job.server,
      steps: entry.steps.map(({ idle, us_per_echo: cost }) => ({ idle, us_per_echo: round(cost, 1) })),
      ...(entry.end ? { end: reasonOfEnd(job, entry) } : {}),
    }))),
    coroutine: of('coroutine').flatMap(({ output }) => output.map((entry) => ({
      form: entry.form, at_once: entry.at_once, ns: round(entry.ns, 1), low: round(entry.low, 1), high: round(entry.high, 1),
    }))),
    knobs: widenNulls(of('knob').map(({ job, date, output }) => ({
      name: job.knob.name, what: job.knob.title, against: job.knob.chapter, load: job.load.id, processors: job.processors, date,
      ...describeComparison(output),
    }))),
  };
}

function describeComparison({ a, b, b_by_a: difference, null: null_, complete }) {
  const range = (key, digits) => {
    const values = b.slices.map((slice) => slice[key]);
    return { low: round(Math.min(...values), digits), high: round(Math.max(...values), digits) };
  };
  return {
    server_ratio: describeRatio(difference.server),
    server_null: describeRatio(null_.server),
    whole_ratio: describeRatio(difference.server_and_load),
    whole_null: describeRatio(null_.server_and_load),
    us_per_message: round(b.us_per_message, 2),
    baseline_us_per_message: round(a.us_per_message, 2),
    load_us_per_message: round(b.load_us_per_message, 2),
    messages_per_second: range('messages_per_second', 0),
    p50_us: range('p50_us', 0),
    p99_us: range('p99_us', 0),
    p999_us: range('p999_us', 0),
    pairs: difference.server.ratios.length,
    thrown_away: [difference, null_].reduce((sum, series) => sum + series.disturbed.length + series.stolen.length, 0),
    wrong_bytes: a.wrong_bytes + b.wrong_bytes,
    complete,
  };
}

// Why a row of idle clients ends: what the server was made for, or what it said when it took no more.
function reasonOfEnd(job, { steps, end }) {
  const next = job.effort.idleSteps[steps.length];
  return (job.server.startsWith('peer-') ? undefined : hindranceOf(job.server, { connections: next })) ?? end;
}

// Each comparison has measured its null with one second process of the baseline. How far *processes* of the
// same program lie apart, all the nulls of a load tell together: so each one's interval is widened until it holds
// the medians of the others.
function widenNulls(entries) {
  for (const key of ['server_null', 'whole_null']) {
    const kindOf = ({ load, against, processors }) => [load, against, processors].join();
    for (const kind of new Set(entries.map(kindOf))) {
      const nulls = entries.filter((entry) => kindOf(entry) === kind).map((entry) => entry[key]).filter(({ low }) => low !== null);
      const medians = nulls.map(({ median }) => median);
      for (const null_ of nulls) {
        null_.low = Math.min(null_.low, ...medians);
        null_.high = Math.max(null_.high, ...medians);
      }
    }
  }
  return entries;
}

function describeRatio({ median, low, high }) {
  return { median: round(median, 3), low: round(low, 3), high: round(high, 3) };
}

// "less", "more" or "none": a difference is one only where the interval lies outside that of the null.
export function verdictOf(ratio, null_) {
  if ([ratio, null_].some(({ low }) => low === undefined || low === null)) return 'none';
  if (ratio.high < null_.low) return 'less';
  return ratio.low > null_.high ? 'more' : 'none';
}

function without(object, key) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

export function round(value, digits) {
  return value === undefined || value === null ? null : Number(value.toFixed(digits));
}
