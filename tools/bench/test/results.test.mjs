import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResults, verdictOf } from '../lib/results.mjs';
import { formatTable } from '../lib/tables.mjs';

const side = (us, slices) => ({ us_per_message: us, load_us_per_message: 6, wrong_bytes: 0, slices });
const slice = (rate, p50) => ({ messages_per_second: rate, p50_us: p50, p99_us: 2 * p50, p999_us: 3 * p50 });
const ratio = (median) => ({ median, low: median - 0.02, high: median + 0.02, ratios: [median, median] });
const series = (median, changes) => ({ server: ratio(median), server_and_load: ratio(1), disturbed: [], stolen: [], ...changes });

const comparison = {
  a: side(6.4, [slice(70_000, 600)]),
  b: { ...side(5.123, [slice(71_000.4, 590), slice(79_000, 610)]), wrong_bytes: 3 },
  b_by_a: series(0.8004, { disturbed: [0.2], stolen: [0.1, 0.1] }),
  null: series(1, { disturbed: [0.3] }),
  complete: true,
};

const make = (runs) => makeResults({ machine: { kernel: 'Linux 6.1' }, settings: {}, servers: [], loads: [], leftOut: [], runs });

test('a comparison becomes a ratio, its null, and ranges over the slices', () => {
  const job = { kind: 'compare', server: '16-io-uring', load: { id: '64B-50' } };
  const [entry] = make([{ job, date: '2026-01-02', output: comparison }]).against_baseline;
  assert.deepEqual(entry.server_ratio, { median: 0.8, low: 0.78, high: 0.82 });
  assert.deepEqual(entry.server_null, { median: 1, low: 0.98, high: 1.02 });
  assert.deepEqual(entry.messages_per_second, { low: 71_000, high: 79_000 });
  assert.deepEqual(entry.p99_us, { low: 1180, high: 1220 });
  assert.equal(entry.us_per_message, 5.12);
  assert.equal(entry.pairs, 2);
  assert.equal(entry.thrown_away, 4);
  assert.equal(entry.wrong_bytes, 3);
  assert.equal(entry.date, '2026-01-02');
});

test('a null holds the medians of the other nulls of its load, and not those of other loads', () => {
  const run = (server, load, median) => ({
    job: { kind: 'compare', server, load: { id: load } }, date: '2026-01-02', output: { ...comparison, null: series(median) },
  });
  const entries = make([run('01', 'visits-8', 0.85), run('02', 'visits-8', 1), run('03', 'visits-8', 1.2), run('01', '64B-50', 1)]).against_baseline;
  assert.deepEqual(entries[1].server_null, { median: 1, low: 0.85, high: 1.2 });
  assert.deepEqual(entries[0].server_null, { median: 0.85, low: 0.83, high: 1.2 });
  assert.deepEqual(entries[3].server_null, { median: 1, low: 0.98, high: 1.02 });
});

test('the days of a run are those of its measurements', () => {
  const run = (date) => ({ job: { kind: 'coroutine' }, date, output: [] });
  const { machine } = make([run('2026-01-03'), run('2026-01-02'), run('2026-01-05')]);
  assert.equal(machine.first_day, '2026-01-02');
  assert.equal(machine.last_day, '2026-01-05');
});

test('a difference is one only outside of the interval of the null', () => {
  const null_ = { low: 0.97, high: 1.02 };
  assert.equal(verdictOf({ low: 0.9, high: 0.96 }, null_), 'less');
  assert.equal(verdictOf({ low: 0.9, high: 0.97 }, null_), 'none');
  assert.equal(verdictOf({ low: 1.02, high: 1.2 }, null_), 'none');
  assert.equal(verdictOf({ low: 1.03, high: 1.2 }, null_), 'more');
});

test('an interval that could not be had is no difference', () => {
  assert.equal(verdictOf({ median: 0.5, low: null, high: null }, { low: 0.97, high: 1.02 }), 'none');
});

test('a table has its columns one under the other', () => {
  assert.equal(formatTable(['', 'us'], [['12 epoll', '6.4'], ['03', '18.0']]), '              us\n  12 epoll   6.4\n  03        18.0\n');
});
