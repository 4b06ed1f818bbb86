// Recorded sessions, and the command line.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SessionRunner } from '../lib/sessions.mjs';
import { makeSyncedProject } from './fixture.mjs';

let trees = [];

afterEach(() => {
  trees.forEach((tree) => tree.remove());
  trees = [];
});

// A project with one document that records `bash session.sh`.
function makeRecording(script, fence = '') {
  const tree = makeSyncedProject();
  trees.push(tree);
  tree.write('session.sh', script);
  tree.write('docs/session.md', `# S\n\n<details><summary>The trace</summary>\n\n<!-- run bash session.sh -->\n${fence}\n</details>\n`);
  return tree;
}

/** Waits until it is so; the test's runner ends what never is. */
async function until(condition) {
  while (!condition()) await sleep(10);
}

const printsItsPid = 'echo "[pid $$] close(4) = 0"\n';

test('sync records a session, check runs it anew and compares what matters', () => {
  const tree = makeRecording(printsItsPid);
  assert.match(tree.run('check').stdout, /docs\/session\.md:5: this session is not recorded yet; run tools\/docs\/docs sync/);
  assert.equal(tree.run('sync').summary, 'docs: 1 fence written in 1 file');
  const recorded = tree.read('docs/session.md');
  assert.match(recorded, /session\.sh -->\n```text\n\[pid \d+\] close\(4\) = 0\n```\n/);
  assert.match(tree.run('check').summary, /1 recorded session: all good/);
  assert.match(tree.run('sync').summary, /0 fences written/);
  assert.equal(tree.read('docs/session.md'), recorded);
});

test('a session that prints something else is a finding with the difference', () => {
  const tree = makeRecording(printsItsPid);
  tree.run('sync');
  tree.write('session.sh', 'echo "[pid $$] close(5) = 0"\n');
  const result = tree.run('check');
  assert.equal(result.status, 1);
  assert.match(result.stdout, /prints something else than was recorded.*\n {2}- \[pid PID1\] close\(4\) = 0\n {2}\+ \[pid PID1\] close\(5\) = 0\n/);
  assert.match(tree.run('sync').summary, /1 fence written/);
  assert.equal(tree.run('check').status, 0);
});

test('a session that cannot run here is a note, or a finding when DOCS_STRICT=1', () => {
  const tree = makeRecording('echo "first" >&2; echo "strace is missing" >&2; exit 77\n', '```text\nold\n```');
  const before = tree.read('docs/session.md');
  const result = tree.run('check');
  assert.equal(result.status, 0);
  assert.deepEqual(result.findings, ['docs/session.md:5: not checked here: strace is missing']);
  assert.equal(tree.runWith({ DOCS_STRICT: '1' }, 'check').status, 1);
  assert.match(tree.run('sync').stdout, /not recorded here: strace is missing/);
  assert.equal(tree.read('docs/session.md'), before);
});

test('a session that fails, or prints nothing, is a finding and changes nothing', () => {
  const tree = makeRecording('echo "no server" >&2; exit 3\n', '```text\nold\n```');
  const before = tree.read('docs/session.md');
  assert.match(tree.run('check').stdout, /"bash session\.sh" failed with exit status 3: no server; mend it/);
  assert.equal(tree.run('sync').status, 1);
  tree.write('session.sh', 'true\n');
  assert.match(tree.run('check').stdout, /printed nothing to record/);
  assert.equal(tree.read('docs/session.md'), before);
});

test('--no-run runs nothing', () => {
  const tree = makeRecording('touch ran; echo x\n', '```text\nold\n```');
  const result = tree.run('check', '--no-run');
  assert.equal(result.status, 0);
  assert.match(result.summary, /1 recorded session \(not run\): all good/);
  tree.run('sync', '--no-run');
  assert.throws(() => tree.read('ran'));
});

test('the same command runs once', async () => {
  const tree = makeRecording('echo x >> count; echo x\n');
  const runner = new SessionRunner(tree.root);
  await runner.run('bash session.sh');
  await runner.run('bash session.sh');
  assert.equal(tree.read('count'), 'x\n');
});

test('a late command ends with what it started', async () => {
  const tree = makeRecording('');
  const runner = new SessionRunner(tree.root, { seconds: 0.2 });
  const { failed } = await runner.run('(sleep 0.6; touch survived) & wait');
  assert.match(failed, /did not end within 0\.2 s/);
  await new Promise((resolve) => setTimeout(resolve, 800));
  assert.throws(() => tree.read('survived'), /ENOENT/);
});

test('what left the process group of a late command is not waited for', async () => {
  const runner = new SessionRunner(makeRecording('').root, { seconds: 0.3 });
  const started = Date.now();
  const { failed } = await runner.run('setsid sleep 5 & wait');
  assert.match(failed, /did not end within/);
  assert.ok(Date.now() - started < 3000);
});

test('a signal that ends the tool ends the command of a session, too', async () => {
  const tree = makeRecording('');
  tree.write('run.mjs', `import { SessionRunner } from ${JSON.stringify(new URL('../lib/sessions.mjs', import.meta.url).href)};
await new SessionRunner(${JSON.stringify(tree.root)}).run('echo $$ > number; mv number pid; exec sleep 1000');\n`);
  const tool = spawn(process.execPath, [join(tree.root, 'run.mjs')], { stdio: 'ignore' });
  const ended = new Promise((resolve) => { tool.on('exit', (status, signal) => resolve(signal)); });
  await until(() => existsSync(join(tree.root, 'pid')));
  const pid = tree.read('pid').trim();
  assert.ok(existsSync(`/proc/${pid}`));
  tool.kill('SIGTERM');
  assert.equal(await ended, 'SIGTERM');
  await until(() => !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
});

test('a session whose server is not built says so, and is not begun', async () => {
  const tree = makeRecording('');
  const runner = new SessionRunner(tree.root);
  assert.deepEqual(await runner.run('for c in 01-iterative 02-robust; do touch begun; build/bin/$c; done'), {
    failed: '"for c in 01-iterative 02-robust; do touch begun; build/bin/$c; done" needs build/bin/01-iterative, which is not built; build it: cmake --build build --target 01-iterative',
  });
  assert.throws(() => tree.read('begun'), /ENOENT/);
  tree.write('build/bin/01-iterative', '');
  assert.deepEqual(await runner.run('echo x # build/bin/01-iterative, as 99-dance does not'), { output: ['x'] });
});

test('wrong arguments are told on stderr, with the usage, and exit 2', () => {
  const tree = makeRecording(printsItsPid);
  const cases = [
    [['bake'], /there is no command "bake"/],
    [['check', '--fast'], /there is no option --fast/],
    [['check', '42'], /no chapter "42" has a text/],
  ];
  for (const [words, pattern] of cases) {
    const result = tree.run(...words);
    assert.equal(result.status, 2);
    assert.match(result.stderr, pattern);
    assert.match(result.stderr, /usage: tools\/docs\/docs check/);
    assert.equal(result.stdout, '');
  }
});

test('help names every command and marker', () => {
  const result = makeRecording('').run('help');
  assert.equal(result.status, 0);
  for (const word of ['sync', 'check', '--no-run', 'diff-skip', 'code-cover', 'old-fn:', 'DOCS_STRICT']) assert.ok(result.stdout.includes(word), word);
});

test('a number or a name chooses one chapter', () => {
  const tree = makeRecording(printsItsPid);
  tree.edit('docs/01-iterative.md', '## Practice', '## Extras');
  assert.equal(tree.run('check', '2').status, 0);
  for (const word of ['1', '01', '01-iterative']) assert.equal(tree.run('check', word).status, 1, word);
  assert.match(tree.run('check', '2').summary, /^docs: 1 chapter, 3 diff blocks, 0 code blocks, 0 recorded sessions: all good/);
});
