// Asks the chapter's tests about a server: first the one that decides, then all of them.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { Problem, Unavailable } from '../../observe/problem.mjs';
import { runGroup } from './run-group.mjs';

/** A test's name as Catch2 takes it: without these it takes a name for a pattern, or for several. */
export const escapeName = (name) => name.replace(/[\\,[]/g, '\\$&');

const environmentFor = (server) => ({ ...process.env, SERVER: server, SERVER_WORDS: '--practice' });

const testsOf = (root, chapter) => join(root, 'build/bin', `${chapter}-tests`);

/** Whether the server passes the test that decides. Returns {passes, output}. Throws Unavailable where it cannot run. */
export async function askOneTest(scope, root, task, server) {
  const { code, output } = await runGroup(scope, testsOf(root, task.chapter), [escapeName(task.test), '--abort'], { cwd: root, env: environmentFor(server) });
  if (/No test cases matched/.test(output)) {
    throw new Problem(`${task.chapter}-tests has no test "${task.test}", which ${task.file} names`);
  }
  const isSkipped = /^(test cases|assertions): .*\bskipped\b/m.test(output) && !/\bfailed\b/.test(output);
  if (isSkipped || code === 4) throw new Unavailable(`the test that decides is skipped on this machine:\n${output.trim()}`);
  return { passes: code === 0, output };
}

/** All tests of the chapter, as ./learn test runs them. Returns {count, failed: [name...], output}. */
export async function askAllTests(scope, root, chapter, server) {
  const folder = mkdtempSync(join(os.tmpdir(), 'learn-practice-'));
  scope.defer(() => rmSync(folder, { recursive: true, force: true }));
  const report = join(folder, 'report.xml');
  const jobs = String(os.availableParallelism?.() ?? os.cpus().length);
  const { code, output } = await runGroup(scope, 'ctest', ['--preset', 'default', '--parallel', jobs, '--output-on-failure',
    '--no-tests=error', '--output-junit', report, '-L', `^${chapter}$`], { cwd: root, env: environmentFor(server) });
  const cases = readReport(report);
  const failed = cases.filter(({ status }) => status === 'fail').map(({ name }) => name.slice(name.indexOf('/') + 1));
  if (cases.length === 0 || (code !== 0 && failed.length === 0)) throw new Problem(`the tests of ${chapter} could not be run:\n${output.trim()}`);
  return { count: cases.filter(({ status }) => status === 'run').length, failed, output };
}

const entities = { apos: "'", quot: '"', lt: '<', gt: '>', amp: '&' };

function readReport(file) {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return [...text.matchAll(/<testcase name="([^"]*)".* status="([a-z]*)"/g)]
    .map(([, name, status]) => ({ name: name.replace(/&(apos|quot|lt|gt|amp);/g, (_, word) => entities[word]), status }));
}

/** What Catch2 says of the assertion that failed, without its frame: a few lines. */
export function findComplaint(output) {
  const lines = output.split('\n');
  const first = lines.findIndex((line) => /: FAILED:|: error:/.test(line));
  if (first === -1) return '';
  const length = lines.slice(first).findIndex((line) => /^(={20,}|stderr of|see it happen:)/.test(line));
  return lines.slice(first, length === -1 ? undefined : first + length)
    .filter((line) => !line.includes('{Unknown expression after the reported line}')).join('\n').trim();
}
