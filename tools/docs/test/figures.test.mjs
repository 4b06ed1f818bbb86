// Tables of the published run: what they claim, and how a text keeps up with it. The run of these tests
// is made up.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeFigures } from '../lib/figures.mjs';
import { Problem } from '../lib/problem.mjs';
import { judge, Results } from '../lib/results.mjs';
import { makeProject } from './fixture.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const fiction = readFileSync(join(here, 'fictional-results.json'), 'utf8');
const canDraw = existsSync(join(here, '../../bench/node_modules/.package-lock.json'));

let trees = [];

afterEach(() => {
  trees.forEach((tree) => tree.remove());
  trees = [];
});

// The made-up run, after a change to it.
function makeResults(change = () => {}) {
  const data = JSON.parse(fiction);
  change(data);
  return new Results(JSON.stringify(data));
}

function comparisonOf(data, server, load) {
  return data.against_baseline.find((entry) => entry.server === server && entry.load === load);
}

function show(words, results = makeResults(), place = {}) {
  return makeFigures(results, words.split(' ').filter(Boolean), { link: 'measurements.md', ...place }).join('\n');
}

function showChapter(name, previous, change) {
  return show('chapter', makeResults(change), { chapter: { name }, previous: previous && { name: previous } });
}

// The last paragraph, on one line.
function claimOf(text) {
  return text.split('\n\n').at(-1).replace(/\n/g, ' ');
}

function rowOf(text, name) {
  return text.split('\n').find((line) => line.startsWith(`| ${name} |`))?.slice(2, -2).split(' | ');
}

// --- The rule of honesty ----------------------------------------------------------------------------

const interval = (low, high) => ({ median: (low + high) / 2, low, high });

test('a difference is claimed only where the intervals do not touch', () => {
  assert.equal(judge(interval(1.06, 1.1), interval(0.97, 1.05)), 'more');
  assert.equal(judge(interval(0.8, 0.9), interval(0.95, 1.05)), 'less');
  assert.equal(judge(interval(1.05, 1.1), interval(0.97, 1.05)), 'none', 'they touch');
  assert.equal(judge(interval(0.8, 0.95), interval(0.95, 1.05)), 'none', 'they touch');
  assert.equal(judge(interval(1.02, 1.04), interval(0.9, 1.1)), 'none', 'the null is wider');
  assert.equal(judge(interval(0.8, 1.2), interval(0.99, 1.01)), 'none', 'the null lies inside');
});

test('an interval that is not there shows nothing', () => {
  assert.equal(judge({ median: 5, low: null, high: null }, interval(0.99, 1.01)), 'none');
  assert.equal(judge(interval(5, 6), undefined), 'none');
  assert.equal(judge(undefined, interval(0.99, 1.01)), 'none');
  const text = show('loads 64B-50', makeResults((data) => (comparisonOf(data, '10-poll', '64B-50').server_ratio = { median: 5, low: null, high: null })));
  assert.deepEqual(rowOf(text, '10 poll').slice(1, 2).concat(rowOf(text, '10 poll').slice(3)), ['5.000 (no interval)', 'no difference shown']);
});

test('between visits a difference is claimed from a factor of 1.5 on, with the whole interval', () => {
  const verdictOf = (ratio, load) => {
    const results = makeResults((data) => Object.assign(comparisonOf(data, '16-io-uring', load), { server_ratio: ratio, server_null: interval(0.98, 1.02), whole_ratio: ratio, whole_null: interval(0.98, 1.02) }));
    const alone = rowOf(show(`loads ${load}`, results), '16 io-uring').at(-1);
    const amongOthers = rowOf(show(`loads ${load} 64B-1`, results), '16 io-uring')[1];
    const whole = rowOf(show(`loads ${load} whole`, results), '16 io-uring').at(-1);
    assert.ok(amongOthers.endsWith(`, ${alone}`), amongOthers);
    assert.equal(whole, alone);
    return alone;
  };
  assert.equal(verdictOf(interval(1.6, 1.8), 'visits-8'), 'costs more');
  assert.equal(verdictOf(interval(1.45, 1.8), 'visits-8'), 'no difference shown', 'the interval begins below the factor');
  assert.equal(verdictOf(interval(0.5, 0.66), 'visits-8'), 'costs less');
  assert.equal(verdictOf(interval(0.5, 0.67), 'visits-8'), 'no difference shown', 'the interval ends within the factor');
  assert.equal(verdictOf(interval(1.45, 1.8), '64B-50'), 'costs more', 'another load has no such rule');
  assert.equal(verdictOf({ median: 5, low: null, high: null }, 'visits-8'), 'no difference shown', 'no interval');
  assert.match(show('loads visits-8').replace(/\n/g, ' '), /only where the whole interval lies beyond a factor of 1\.5\.$/);
  assert.doesNotMatch(show('loads 64B-50'), /beyond a factor/);
});

// --- A chapter's table ------------------------------------------------------------------------------

test('a chapter stands between the one before and the baseline', () => {
  const text = showChapter('16-io-uring', '13-epoll-edge');
  assert.deepEqual(text.split('\n').slice(2, 5).map((line) => line.split(' | ')[0]), ['| 13 epoll-edge', '| 16 io-uring', '| 12 epoll']);
  assert.deepEqual(rowOf(text, '12 epoll'), ['12 epoll', '1', '1', '1', '2.04', '0', '4,297']);
  assert.match(text, /bytes for each of 10,000 idle clients/);
  assert.match(text, /\[Measurements\]\(measurements\.md\)/);
});

test('the baseline and the chapter after it stand once', () => {
  assert.equal(showChapter('12-epoll', '11-signal-driven').match(/^\| 12 epoll /gm).length, 1);
  assert.match(claimOf(showChapter('12-epoll', '11-signal-driven')), /compared with, so nothing is claimed of it/);
  assert.equal(showChapter('13-epoll-edge', '12-epoll').match(/^\| 12 epoll /gm).length, 1);
  assert.match(showChapter('01-iterative', undefined), /^\| 01 iterative /m);
});

test('the sentence claims what the intervals show, apart for the server and for both', () => {
  const claim = claimOf(
    showChapter('16-io-uring', '13-epoll-edge', (data) => {
      const set = (load, server, whole) => Object.assign(comparisonOf(data, '16-io-uring', load), { server_ratio: server, whole_ratio: whole, server_null: interval(0.98, 1.02), whole_null: interval(0.9, 1.1) });
      set('64B-1', interval(1.1, 1.2), interval(1.05, 1.2));
      set('64B-50', interval(0.8, 0.9), interval(0.95, 1.0));
      set('64B-1000', interval(0.8, 0.9), interval(0.8, 0.85));
    }),
  );
  assert.match(claim, /server's processor time it costs more at 1 connection and costs less at 50 and 1,000 connections;/);
  assert.match(claim, /with the load's part counted in, it shows no difference at 1 and 50 connections and costs less at 1,000 connections\./);
});

test('a chapter that was not measured makes no claim', () => {
  const claim = claimOf(showChapter('02-robust', '01-iterative', (data) => (data.against_baseline = data.against_baseline.filter(({ server }) => server !== '02-robust'))));
  assert.match(claim, /No ratio was measured here, so nothing is claimed about the cost of an echo in 02 robust/);
  assert.doesNotMatch(claim, /costs|shows/);
});

test('a dash has its reason, and a figure of few pairs its star', () => {
  const left = showChapter('02-robust', '01-iterative').replace(/\n(?=\S)/g, ' ');
  assert.match(left, /–: 01 iterative and 02 robust \(64 B, 50 connections; 64 B, 1,000 connections\): serves one client at a time\./);
  const forgotten = showChapter('10-poll', '09-select', (data) => (data.against_baseline = data.against_baseline.filter(({ server, load }) => server !== '10-poll' || load !== '64B-1')));
  assert.match(forgotten, /–: 10 poll \(64 B, 1 connection\): not measured in this run\./);
  assert.doesNotMatch(showChapter('10-poll', '09-select'), /\\\*|–/);
  const busy = showChapter('11-signal-driven', '10-poll');
  assert.match(rowOf(busy, '11 signal-driven')[1], /\) \\\*, /);
  assert.match(busy, /^\\\*: fewer than 14 pairs/m);
});

test('memory that was measured with different numbers of clients names them', () => {
  const text = showChapter('10-poll', '09-select', (data) => (data.memory.find(({ server }) => server === '09-select').clients = 500));
  assert.equal(rowOf(text, '09 select').at(-1), '4,300 (with 500)');
  assert.equal(rowOf(text, '10 poll').at(-1), '4,297 (with 10,000)');
  assert.match(showChapter('10-poll', '09-select'), /bytes for each of 1,000 idle clients/, 'what all three have');
});

test('a server that sent wrong bytes has no figures', () => {
  assert.throws(() => makeResults((data) => (comparisonOf(data, '10-poll', '64B-1').wrong_bytes = 3)), /10-poll sent 3 wrong bytes at 64B-1/);
});

// --- The other kinds --------------------------------------------------------------------------------

test('one load shows the null by which it is judged, several do not', () => {
  const one = show('loads 64B-50');
  const { server_ratio: ratio, server_null: null_ } = comparisonOf(JSON.parse(fiction), '16-io-uring', '64B-50');
  assert.deepEqual(rowOf(one, '16 io-uring'), ['16 io-uring', `${ratio.median.toFixed(3)} (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)})`, `${null_.low.toFixed(3)} to ${null_.high.toFixed(3)}`, 'costs less']);
  assert.equal(rowOf(show('loads 64B-50 64K-50'), '16 io-uring').length, 3);
  assert.match(show('loads visits-8'), /for a visit, divided/);
});

test('loads with the word whole count the load in', () => {
  const { whole_ratio: ratio } = comparisonOf(JSON.parse(fiction), '16-io-uring', '64B-50');
  const text = show('loads 64B-50 whole');
  assert.ok(rowOf(text, '16 io-uring')[1].startsWith(ratio.median.toFixed(3)));
  assert.match(text, /^Processor time of server and load together/m);
});

test('loads of some servers show these alone', () => {
  const names = show('loads 64B-50 whole of 12-epoll 16-io-uring').split('\n').filter((line) => line.startsWith('| ')).slice(2).map((line) => line.slice(2).split(' | ')[0]);
  assert.deepEqual(names, ['12 epoll', '16 io-uring']);
});

test('servers stand in the order of the chapters, then peers, whatever they cost', () => {
  const reversed = makeResults((data) => Object.values(data).filter(Array.isArray).forEach((list) => list.reverse()));
  for (const words of ['loads 64B-50', 'ranges 64B-50', 'counted', 'memory', 'idle']) {
    const names = show(words, reversed).split('\n').filter((line) => line.startsWith('| ')).slice(2).map((line) => line.slice(2).split(' | ')[0]);
    const chapters = names.filter((name) => /^\d/.test(name));
    assert.deepEqual(chapters, [...chapters].sort(), words);
    assert.ok(names.slice(chapters.length).every((name) => /^[A-Z]|^lib/.test(name)), words);
  }
});

test('counts stand as they were counted, and a little is not nothing', () => {
  const text = show('counted', makeResults((data) => (data.counted.find(({ server, connections }) => server === '16-io-uring' && connections === 50).allocations_per_message = 0.001)));
  assert.deepEqual(rowOf(text, '16 io-uring'), ['16 io-uring', '0.52', '0.03', 'under 0.01', '0']);
  assert.equal(rowOf(text, 'Go')[3], '–');
  assert.match(text, /Calls are counted with tracepoint,/);
});

test('memory, idle clients, coroutines and knobs have their tables', () => {
  assert.deepEqual(rowOf(show('memory'), '19 multishot'), ['19 multishot', '983', '980']);
  const idle = show('idle');
  assert.match(idle, /^\| server \| 0 idle \| 10 idle \| 100 idle \| 1,000 idle \| 3,000 idle \| 10,000 idle \|$/m);
  assert.deepEqual(rowOf(idle, '09 select').slice(-2), ['–', '–']);
  assert.match(idle, /–: 09 select: takes no more than 1,019 clients\./);
  assert.deepEqual(rowOf(show('coroutine'), 'bare loop'), ['bare loop', '1.2 (1.2 to 1.3)', '1.4 (1.4 to 1.5)']);
  assert.deepEqual(rowOf(show('knobs'), 'COOP_TASKRUN').slice(2, 4), ['16 io-uring', '64 B, 50 connections; two processors']);
  assert.equal(rowOf(show('knobs'), 'COOP_TASKRUN')[6], 'costs more');
});

test('ranges have a date, a machine and no median', () => {
  const text = show('ranges 64B-50');
  assert.match(rowOf(text, '16 io-uring').join(' '), /^16 io-uring [\d,]+ to [\d,]+ [\d,]+ to [\d,]+ [\d,]+ to [\d,]+ 2001-01-01$/);
  assert.match(text, /on Fictional Processor with 2 processors, Linux 99\.9/);
  assert.match(show('ranges visits-8'), /visits a second/);
});

test('the machine and what was left out have their tables', () => {
  const machine = show('machine', makeResults((data) => (data.machine.compiler = null)));
  assert.match(machine, /^\| measured \| 2001-01-01 to 2001-01-02 \|$/m);
  assert.match(machine, /^\| compiler \| – \|$/m);
  assert.match(machine, /^\| libuv \| libuv 1\.44\.2 \|$/m);
  assert.match(show('left-out'), /^\| 09 select \| 64 B, 6,600 connections \| select\(\) watches/m);
  assert.match(show('left-out'), /^\| 02 robust \| .*; idle clients \| serves one/m, 'a part that is no load');
});

test('the drift is the span of what the baseline itself took', () => {
  const results = makeResults((data) => {
    const entries = data.against_baseline.filter(({ load }) => load === '64B-50');
    entries.forEach((entry, index) => (entry.baseline_us_per_message = 5 + index));
  });
  const count = JSON.parse(fiction).against_baseline.filter(({ load }) => load === '64B-50').length;
  const { title } = JSON.parse(fiction).loads.find(({ id }) => id === '64B-50');
  assert.deepEqual(rowOf(show('drift', results), title), [title, String(count), `5.0 to ${(4 + count).toFixed(1)}`, ((4 + count) / 5).toFixed(2)]);
});

test('a bar in a cell does not end it', () => {
  assert.match(show('left-out', makeResults((data) => (data.left_out[0].why = 'a|b'))), /\| a\\\|b \|$/m);
});

// --- Errors -----------------------------------------------------------------------------------------

const errorCases = [
  ['', /there are no figures ""; there are chapter, loads/],
  ['toString', /there are no figures "toString"/],
  ['chapter', /only the text of a chapter/],
  ['loads', /write <!-- figures loads LOAD\.\.\. \[whole\] \[of SERVER\.\.\.\] -->/],
  ['loads 64B-50 of', /write <!-- figures loads LOAD/],
  ['loads 64B-50 of 99-none', /no server "99-none"/],
  ['loads whole', /write <!-- figures loads LOAD/],
  ['loads 64B-7', /has no load "64B-7"; it has 64B-1, 64B-50/],
  ['ranges', /write <!-- figures ranges LOAD -->/],
  ['counted 50', /write <!-- figures counted -->/],
];

for (const [words, pattern] of errorCases) {
  test(`figures "${words}" cannot be made`, () => {
    assert.throws(() => show(words), (error) => error instanceof Problem && pattern.test(error.message));
  });
}

test('a run without the list that a table wants is an error', () => {
  for (const [words, list] of [['counted', 'counted'], ['memory', 'memory'], ['idle', 'idle'], ['coroutine', 'coroutine'], ['knobs', 'knobs'], ['left-out', 'left_out']]) {
    assert.throws(() => show(words, makeResults((data) => delete data[list])), new RegExp(`has nothing under "${list}"; make it with`));
    assert.throws(() => show(words, makeResults((data) => (data[list] = {}))), new RegExp(`"${list}" is no list`));
  }
  assert.throws(() => show('machine', makeResults((data) => delete data.machine)), /has no "machine"/);
});

test('a chapter that the run does not know is an error', () => {
  assert.throws(() => showChapter('99-none', '16-io-uring'), /knows no server "99-none"/);
});

test('a run of another format, and no JSON, are errors', () => {
  assert.throws(() => makeResults((data) => (data.format = 2)), /has the format 2, this tool reads 1/);
  assert.throws(() => new Results('{'), /is no JSON/);
  assert.throws(() => new Results('null'), /has the format undefined/);
});

// --- In documents -----------------------------------------------------------------------------------

// A project whose second chapter shows its figures.
function makeTree(figures, { text = fiction } = {}) {
  const tree = makeProject();
  trees.push(tree);
  tree.edit('docs/02-robust.md', 'Little.', figures);
  tree.write('docs/measurements.md', '# Measurements\n\n## What is not claimed\n');
  if (text !== null) tree.write('docs/measurements/results.json', text);
  tree.run('sync');
  return tree;
}

const marker = 'Little.\n\n<!-- figures chapter -->\n<!-- /figures -->';

test('sync writes figures, check compares them with the run', () => {
  const tree = makeTree(marker);
  const synced = tree.read('docs/02-robust.md');
  assert.match(synced, /<!-- figures chapter -->\n\n\| server \|[^]*\n\| 02 robust \|[^]*measurements\.md\)\.\n\n<!-- \/figures -->\n\n## What it still cannot do/);
  assert.match(tree.run('check').summary, /1 table of figures.*: all good$/);
  assert.match(tree.run('sync').summary, /0 fences written in 0 files$/);
  assert.equal(tree.read('docs/02-robust.md'), synced);

  tree.edit('docs/02-robust.md', '| 4,297 |', '| 297 |');
  const result = tree.run('check');
  assert.equal(result.status, 1);
  assert.match(result.findings.join('\n'), /^docs\/02-robust\.md:\d+: the figures under this marker are stale: line \d is ".*297 \|", from docs\/measurements\/results\.json it is ".*4,297 \|"; run tools\/docs\/docs sync 2$/m);
  assert.match(tree.run('sync').summary, /0 fences and 1 table of figures written in 1 file$/);
  assert.equal(tree.read('docs/02-robust.md'), synced);
});

test('figures without an end, with it on the same line, without a run: findings, and nothing is written', () => {
  const tree = makeTree('<!-- figures chapter -->\n<!-- figures machine --> <!-- /figures -->\n\n<!-- /figures -->\n<!-- /figures -->');
  const before = tree.read('docs/02-robust.md');
  const found = tree.run('check').findings.join('\n');
  assert.match(found, /these figures have no end; put <!-- \/figures -->/);
  assert.match(found, /the end of figures stands on a line of its own/);
  assert.match(found, /this <!-- \/figures --> has no <!-- figures \.\.\. --> before it/);
  assert.match(tree.run('sync').summary, /0 fences written in 0 files, 3 markers could not be followed/);
  assert.equal(tree.read('docs/02-robust.md'), before);

  const bare = makeTree(marker, { text: null });
  assert.match(bare.run('check').findings.join('\n'), /there is no docs\/measurements\/results\.json, from which these figures are made; make it with \.\/learn bench/);
});

test('figures that were never written are a finding, in the words for that', () => {
  const tree = makeTree('Little.');
  tree.edit('docs/measurements.md', '## What', '<!-- figures machine -->\n\n<!-- /figures -->\n\n## What');
  assert.match(tree.run('check').findings.join('\n'), /^docs\/measurements\.md:3: there are no figures under this marker yet; run tools\/docs\/docs sync$/m);
});

test('a picture wants a name and a line that shows it', () => {
  const tree = makeTree('Little.');
  tree.edit('docs/measurements.md', '## What', '<!-- plot nonsense -->\n![x](measurements/nonsense.svg)\n\n<!-- plot ratio -->\nHere it is.\n\n<!-- plot -->\n\n## What');
  const found = tree.run('check').findings.join('\n');
  assert.match(found, /md:3: there is no plot "nonsense"; there are ratio, /);
  assert.match(found, /md:6: the line below this marker does not show the picture; write !\[what there is to see\]\(measurements\/ratio\.svg\)/);
  assert.match(found, /md:9: cannot read this marker; write <!-- plot NAME -->/);
});

test('sync draws a picture, check compares it', { skip: !canDraw && 'the packages of tools/bench are not installed' }, () => {
  const tree = makeTree('Little.');
  tree.edit('docs/measurements.md', '## What', '<!-- plot memory -->\n![memory](measurements/memory.svg)\n\n## What');
  assert.match(tree.run('check').findings.join('\n'), /docs\/measurements\/memory\.svg is not drawn yet/);
  assert.match(tree.run('sync').summary, /1 picture drawn$/);
  assert.match(tree.run('check').summary, /1 picture, .*all good$/);
  tree.edit('docs/measurements/memory.svg', '983', '98');
  assert.match(tree.run('check').findings.join('\n'), /docs\/measurements\.md:3: docs\/measurements\/memory\.svg is stale; run tools\/docs\/docs sync, and look at it/);
});
