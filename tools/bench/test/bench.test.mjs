// The command, in a project made up for the purpose, whose programs are scripts.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const tool = dirname(dirname(fileURLToPath(import.meta.url)));
let root;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bench-'));
  for (const chapter of ['12-epoll', '16-io-uring', '19-multishot']) {
    mkdirSync(join(root, 'chapters', chapter), { recursive: true });
    mkdirSync(join(root, 'tests/chapters'), { recursive: true });
    writeFileSync(join(root, 'chapters', chapter, 'CMakeLists.txt'), 'add_chapter(server.cpp)\n');
    writeFileSync(join(root, 'tests/chapters', `${chapter}.cpp`), '');
    program(chapter, 'exit 1');
  }
  // What is beside the chapters and is none, in each of the ways in which a folder can fail to be one.
  for (const other of ['12-epoll.orig', '13-edge', '14-mine']) mkdirSync(join(root, 'chapters', other));
  writeFileSync(join(root, 'chapters/20-todo.txt'), '');
  for (const other of ['12-epoll.orig', '14-mine']) writeFileSync(join(root, 'chapters', other, 'CMakeLists.txt'), 'add_chapter(server.cpp)\n');
  cpSync(join(dirname(tool), 'chapters.mjs'), join(root, 'tools/chapters.mjs'));
  cpSync(tool, join(root, 'tools/bench'), { recursive: true, filter: (path) => !path.includes('node_modules') });
  program('compare', saveJson(comparison(0.8)));
});

afterEach(() => rmSync(root, { recursive: true }));

function program(name, body) {
  const path = join(root, 'build/bin', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "$0 $*" >>${root}/calls\n${body}\n`);
  chmodSync(path, 0o755);
}

// The last argument is the file.
function saveJson(value) {
  return `for file; do :; done\ncat >"$file" <<'END'\n${JSON.stringify(value)}\nEND`;
}

function comparison(median) {
  const ratio = (value) => ({ median: value, low: value - 0.01, high: value + 0.01, ratios: [value] });
  const series = (value) => ({ server: ratio(value), server_and_load: ratio(1), disturbed: [], stolen: [] });
  const slices = [{ messages_per_second: 1000, p50_us: 1, p99_us: 2, p999_us: 3 }];
  const side = { us_per_message: 5, load_us_per_message: 6, wrong_bytes: 0, slices };
  return { a: side, b: side, b_by_a: series(median), null: series(1), complete: true };
}

function bench(...words) {
  const { status, stdout, stderr } = spawnSync('node', [join(root, 'tools/bench/bench.mjs'), ...words], { encoding: 'utf8', cwd: root });
  return { status, stdout, stderr };
}

const results = () => JSON.parse(readFileSync(join(root, 'build/bench/results.json'), 'utf8'));
const calls = () => (existsSync(join(root, 'calls')) ? readFileSync(join(root, 'calls'), 'utf8').trim().split('\n') : []);

test('each server is compared with the baseline, and the figures are kept and shown', () => {
  const { status, stdout } = bench('--only', '64B-50');
  assert.equal(status, 0);
  assert.deepEqual(results().against_baseline.map(({ server }) => server), ['io-uring', 'multishot']);
  assert.match(stdout, /16 io-uring +0\.80 \(0\.79 to 0\.81\).*costs less/);
  assert.match(calls()[0], /build\/bin\/compare build\/bin\/12-epoll build\/bin\/16-io-uring --connections 50 --size 64 --rate 0 --pairs 14/);
});

test('what has been measured is not measured again, until a program changes', () => {
  bench('--only', '64B-50');
  assert.equal(calls().length, 2);
  bench('--only', '64B-50');
  assert.equal(calls().length, 2);
  program('19-multishot', 'exit 2');
  bench('--only', '64B-50');
  assert.equal(calls().length, 3);
  assert.equal(results().against_baseline.length, 2);
  bench('--only', '64B-50', '--fresh');
  assert.equal(calls().length, 5);
});

test('a measurement that a busy machine cut short is shown, and made again the next time', () => {
  program('compare', saveJson({ ...comparison(0.8), complete: false }));
  bench('16-io-uring', '--only', '64B-50');
  assert.equal(results().against_baseline[0].complete, false);
  bench('16-io-uring', '--only', '64B-50');
  assert.equal(calls().length, 2);
});

test('a machine that is too busy for one pair is said', () => {
  const empty = comparison(0.8);
  empty.b_by_a.server = { ratios: [] };
  program('compare', `${saveJson(empty)}\nexit 1`);
  const { status, stderr } = bench('16-io-uring', '--only', '64B-50');
  assert.equal(status, 1);
  assert.match(stderr, /failed: the machine was too busy/);
});

test('a report measures nothing', () => {
  bench('16-io-uring', '--only', '64B-50');
  const { status, stdout } = bench('--report');
  assert.equal(status, 0);
  assert.equal(calls().length, 1);
  assert.match(stdout, /16 io-uring/);
});

test('a measurement that fails is said, and the others are made', () => {
  program('compare', `case "$2" in *16*) echo 'error: no port is left' >&2; exit 1;; esac\n${saveJson(comparison(0.7))}`);
  const { status, stderr } = bench('--only', '64B-50');
  assert.equal(status, 1);
  assert.match(stderr, /failed: 16-io-uring, 64B-50: no port is left/);
  assert.deepEqual(results().against_baseline.map(({ server }) => server), ['multishot']);
  assert.ok(results().left_out.some(({ server, why }) => server === 'io-uring' && why === 'no port is left'));
});

test('wrong bytes end it with an error', () => {
  const wrong = comparison(0.8);
  wrong.b = { ...wrong.b, wrong_bytes: 4 };
  program('compare', saveJson(wrong));
  const { status, stdout } = bench('--only', '64B-50');
  assert.equal(status, 1);
  assert.match(stdout, /WRONG BYTES: 4/);
});

test('Ctrl-C keeps what was measured, and the next run goes on', async () => {
  // The first measurement is made, the second one waits to be interrupted.
  program('compare', `case "$2" in *19*) : >${root}/waits; trap 'exit 130' TERM INT; while :; do sleep 0.05; done;; esac\n${saveJson(comparison(0.8))}`);
  const child = spawn('node', [join(root, 'tools/bench/bench.mjs'), '--only', '64B-50'], { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (bytes) => { stderr += bytes; });
  while (!existsSync(join(root, 'waits'))) await new Promise((done) => { setTimeout(done, 10); });
  child.kill('SIGINT');
  const status = await new Promise((done) => { child.on('close', done); });
  assert.equal(status, 130);
  assert.match(stderr, /1 of 2 measurements are left/);
  assert.equal(results().against_baseline.length, 1);
  program('compare', saveJson(comparison(0.9)));
  bench('19-multishot', '--only', '64B-50');
  assert.deepEqual(results().against_baseline.map(({ server, server_ratio: { median } }) => [server, median]), [['multishot', 0.9]]);
});

test('only a whole run is published', () => {
  bench('16-io-uring', '--only', '64B-50');
  const { status, stderr } = bench('--publish');
  assert.equal(status, 2);
  assert.match(stderr, /are missing/);
  assert.equal(bench('--publish', '--only', '64B-50').status, 2);
});

test('what has been measured is forgotten only in order to measure', () => {
  bench('16-io-uring', '--only', '64B-50');
  for (const words of [['--plan', '--fresh'], ['--report', '--fresh'], ['99-none', '--fresh']]) bench(...words);
  bench('16-io-uring', '--only', '64B-50');
  assert.equal(calls().length, 1);
});

test('a wrong word is refused before anything is measured', () => {
  for (const words of [['--only', 'everything'], ['--core', 'x'], ['--no-such-option'], ['13-unknown'], ['--quick', '--only', 'knobs']]) {
    const { status, stderr } = bench(...words);
    assert.equal(status, 2, words.join(' '));
    assert.match(stderr, /^bench: /);
  }
  assert.deepEqual(calls(), []);
  assert.deepEqual(readdirSync(join(root, 'build')).includes('bench') ? readdirSync(join(root, 'build/bench/runs')) : [], []);
});
