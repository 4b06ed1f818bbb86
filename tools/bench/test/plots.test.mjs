// The pictures: what decides them, and the files that come out. The run of these tests is made up.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../docs/lib/problem.mjs';
import { Results } from '../../docs/lib/results.mjs';
import { names } from '../plots/names.mjs';
import { chooseRows, formatBytes, panelTitles, ratioDomain, ratioPoints, ratioTicks, roundTicks, spreadLabels } from '../plots/shape.mjs';
import { finishSvg, tidy } from '../plots/svg.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const fiction = join(here, '../../docs/test/fictional-results.json');
const noPackages = !existsSync(join(here, '../node_modules/.package-lock.json')) && 'the packages of tools/bench are not installed';
const folder = mkdtempSync(join(tmpdir(), 'plots-'));

after(() => rmSync(folder, { recursive: true, force: true }));

function makeResults(change = () => {}) {
  const data = JSON.parse(readFileSync(fiction, 'utf8'));
  change(data);
  return new Results(JSON.stringify(data));
}

const comparisonOf = (data, server, load) => data.against_baseline.find((entry) => entry.server === server && entry.load === load);

test('a point has the colour of its verdict, and the interval that it was judged by', () => {
  const results = makeResults((data) => Object.assign(comparisonOf(data, '10-poll', '64B-50'), { server_ratio: { median: 1.2, low: 1.1, high: 1.3 }, server_null: { median: 1, low: 0.9, high: 1.05 } }));
  const point = ratioPoints(results, [results.load('64B-50')]).find(({ row }) => row === '10 poll');
  assert.deepEqual(point, { row: '10 poll', panel: '64 B, 50 connections', median: 1.2, low: 1.1, high: 1.3, nullLow: 0.9, nullHigh: 1.05, verdict: 'more' });
});

test('a figure far away stands at the edge with its number', () => {
  const results = makeResults((data) => {
    comparisonOf(data, '10-poll', '64B-50').server_ratio = { median: 22.4, low: 21, high: 24 };
    comparisonOf(data, '09-select', '64B-50').server_ratio = { median: 5.25, low: 5.2, high: 5.3 };
  });
  const points = ratioPoints(results, [results.load('64B-50')]);
  const { median, high, beyond } = points.find(({ row }) => row === '10 poll');
  assert.equal(beyond, '22');
  assert.equal(median, high);
  assert.ok(ratioDomain(points)[1] < 5, 'it does not squeeze the others');
  assert.equal(points.find(({ row }) => row === '09 select').beyond, '5.3');
  assert.ok(points.filter((point) => point.beyond).length === 2);
});

test('the edge makes room for nine of ten', () => {
  const results = makeResults((data) => ['08-state', '09-select', '10-poll'].forEach((id) => (comparisonOf(data, id, '64B-50').server_ratio = { median: 3.1, low: 3, high: 3.2 })));
  assert.deepEqual(ratioPoints(results, [results.load('64B-50')]).filter((point) => point.beyond), []);
});

test('what was not measured has no point, and too few pairs no bar', () => {
  const results = makeResults((data) => {
    comparisonOf(data, '10-poll', '64B-50').server_ratio = { median: 1.4, low: null, high: null };
    comparisonOf(data, '09-select', '64B-50').server_ratio = null;
  });
  const points = ratioPoints(results, [results.load('64B-50')]);
  assert.deepEqual(points.filter(({ row }) => /^0[1289]/.test(row)).map(({ row }) => row), ['08 state']);
  const { low, high, verdict } = points.find(({ row }) => row === '10 poll');
  assert.deepEqual([low, high, verdict], [1.4, 1.4, 'none']);
});

test('rows are chapters, a gap, peers', () => {
  const results = makeResults((data) => data.servers.reverse());
  assert.deepEqual(chooseRows(results, ({ id }) => /10|16|peer/.test(id)).rows, ['10 poll', '16 io-uring', ' ', 'Go', 'libuv']);
  assert.deepEqual(chooseRows(results, ({ id }) => /10/.test(id)).rows, ['10 poll']);
  assert.deepEqual(chooseRows(results, ({ kind }) => kind === 'peer').rows, ['Go', 'libuv']);
});

test('the titles of columns say what differs', () => {
  const titles = (...list) => panelTitles(list.map((title) => ({ title })));
  assert.deepEqual(titles('64 B, 1 connection', '64 B, 50 connections'), ['1 connection', '50 connections']);
  assert.deepEqual(titles('64 B, 50 connections', '1 KiB, 50 connections'), ['64 B', '1 KiB']);
  assert.deepEqual(titles('visits'), ['visits']);
  assert.deepEqual(titles('a', 'a'), ['a', 'a']);
});

test('an axis has few ticks, 1 among them', () => {
  assert.deepEqual(ratioTicks([0.69, 2.3], 4), [0.7, 1, 1.5, 2]);
  assert.deepEqual(ratioTicks([0.85, 1.3], 5), [0.9, 1, 1.1, 1.2]);
  assert.deepEqual(ratioTicks([0.45, 2.3], 3), [0.5, 1, 2]);
  assert.deepEqual(ratioTicks([0.7, 4.7], 4), [1, 2, 4]);
  assert.deepEqual(roundTicks(38.7), [0, 10, 20, 30]);
  assert.deepEqual(roundTicks(101), [0, 50, 100]);
  assert.deepEqual(roundTicks(0.9), [0, 0.2, 0.4, 0.6, 0.8]);
});

test('labels keep apart, their order, and near to what they name', () => {
  assert.deepEqual(spreadLabels([10, 100], 15), [10, 100], 'far apart: where they wish');
  assert.deepEqual(spreadLabels([100, 100], 20), [90, 110]);
  assert.deepEqual(spreadLabels([102, 100, 98], 20), [120, 100, 80]);
  const places = spreadLabels([100, 104, 118, 121], 15);
  assert.ok(places.slice(1).every((place, index) => place - places[index] >= 15 - 1e-9), places.join());
  assert.deepEqual(spreadLabels([100, 100], 20, 100), [80, 100], 'none below the picture');
});

test('bytes have a unit that is a power of two', () => {
  assert.deepEqual([983, 4710, 119700, 2 * 1024 * 1024].map(formatBytes), ['983 B', '4.6 KiB', '117 KiB', '2.0 MiB']);
});

test('tidying changes places of the drawing, and no text', () => {
  assert.deepEqual(tidy('<text x="12.3456">0.0312</text>'), ['<text x="12.3">0.0312</text>']);
  assert.deepEqual(tidy('<g stroke-opacity="0.15"><line x1="1" x2="3" y1="2" y2="2"></line><line x1="4.04" x2="4.04" y1="2" y2="9"></line></g>'), ['<g stroke-opacity="0.15">', '<path d="M1 2H3M4 2V9"/></g>']);
  assert.deepEqual(tidy('<g fill="red"><circle cx="1" cy="2" r="3"></circle></g>').join(''), '<g stroke="red" fill="none" stroke-width="6" stroke-linecap="round"><circle cx="1" cy="2" r="3"></circle></g>'.replace(/<circle.*circle>/, '<path d="M1 2h0"/>'));
  assert.deepEqual(tidy('<g><line x1="1" x2="3" y1="2" y2="2" stroke="red"/><line x1="1" x2="3" y1="2" y2="2"/></g>').length, 3, 'a line of another colour stays one');
});

test('a file has a title and a description for those who do not see it', () => {
  const svg = finishSvg('<svg width="10" height="20"><g><text>a</text></g></svg>', 'x', 'A < B', 'C & D');
  assert.match(svg, /role="img" aria-labelledby="figure-x-title figure-x-desc"/);
  assert.match(svg, /<title id="figure-x-title">A &lt; B<\/title>\n<desc id="figure-x-desc">C &amp; D<\/desc>/);
  assert.match(svg, /viewBox="0 0 10 20"/);
  assert.throws(() => finishSvg('<figure></figure>', 'x', '', ''), /something else than one <svg>/);
});

// --- With the packages ------------------------------------------------------------------------------

function runPlots(...words) {
  return spawnSync(process.execPath, [join(here, '../plots.mjs'), ...words], { encoding: 'utf8' });
}

test('the same run gives the same bytes, small and self-contained', { skip: noPackages }, () => {
  const [one, two] = ['one', 'two'].map((name) => join(folder, name));
  for (const out of [one, two]) assert.equal(runPlots(fiction, out).status, 0);
  assert.deepEqual(readdirSync(one).sort(), names.map((name) => `${name}.svg`).sort());
  for (const name of readdirSync(one)) {
    const svg = readFileSync(join(one, name), 'utf8');
    assert.equal(svg, readFileSync(join(two, name), 'utf8'), name);
    assert.ok(svg.length < 12 * 1024, `${name} has ${svg.length} bytes`);
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^]*<\/svg>\n$/, name);
    assert.match(svg, /prefers-color-scheme:dark/, name);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity|href|@import|url\(/, name);
  }
});

test('every server that has a figure is named in its picture', { skip: noPackages }, async () => {
  const { drawPicture } = await import('../plots/pictures.mjs');
  const results = makeResults();
  const labels = (name) => [...drawPicture(name, results).matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
  for (const { label } of results.servers) assert.ok(labels('ratio').includes(label), label);
  for (const label of ['08 state', '09 select', '10 poll', '11 signals', '12 epoll', '16 io_uring']) assert.ok(labels('idle').includes(label), label);
  assert.ok(labels('memory').includes('983 B'));
  assert.ok(labels('calls').includes('0.03'));
  assert.ok(labels('coroutine').includes('37.2'));
});

test('a run that lacks what a picture shows is a problem, and the others are drawn', { skip: noPackages }, () => {
  const data = JSON.parse(readFileSync(fiction, 'utf8'));
  const path = join(folder, 'few.json');
  writeFileSync(path, JSON.stringify({ ...data, idle: [], counted: data.counted.map((entry) => ({ ...entry, connections: 7 })) }));
  const out = join(folder, 'few');
  const { status, stderr } = runPlots(path, out);
  assert.equal(status, 1);
  assert.match(stderr, /plots: no idle\.svg: .*few\.json has nothing under "idle"/);
  assert.match(stderr, /plots: no calls\.svg: .*no system calls at 50 or 1,000 connections/);
  assert.deepEqual(readdirSync(out).length, names.length - 2);
});

test('a file that is not there, and too many words, are said in one line', () => {
  const missing = runPlots(join(folder, 'none.json'), folder);
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, noPackages ? /npm ci in tools\/bench/ : /^plots: ENOENT.*none\.json'\n$/);
  assert.equal(runPlots('a', 'b', 'c').status, 2);
  assert.match(runPlots('--help').stdout, /^usage: node tools\/bench\/plots\.mjs \[RESULTS\.json\] \[OUT-DIR\]/);
});

test('a picture of a run without any ratio is a problem', { skip: noPackages }, async () => {
  const { drawPicture } = await import('../plots/pictures.mjs');
  assert.throws(() => drawPicture('visits', makeResults((data) => (data.against_baseline = []))), Problem);
  assert.throws(() => drawPicture('memory', makeResults((data) => delete data.memory)), Problem);
});
