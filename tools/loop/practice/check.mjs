// ./learn practice check: is it mended?

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Problem } from '../../observe/problem.mjs';
import { build } from '../build.mjs';
import { warnOfChanges } from './begin.mjs';
import { chooseNext } from './choose.mjs';
import { compile } from './compile.mjs';
import { askAllTests, askOneTest, escapeName, findComplaint } from './examine.mjs';
import { printReversed } from './patch.mjs';

const numberOf = (chapter) => Number(chapter.slice(0, 2));
const quote = (name) => `'${name.replaceAll("'", "'\\''")}'`;

/** What the learner types to read all that the test says. An exercise's test is hidden, and ./learn test does not know it. */
const commandOf = (root, { kind, chapter, test }, server) => (kind === 'exercise'
  ? `SERVER=${quote(relative(root, server))} build/bin/${chapter}-tests ${quote(escapeName(test))}`
  : `./learn test ${numberOf(chapter)} --practice -R ${quote(test)}`);

export async function check(context, copy) {
  const { root, scope, talk } = context;
  const { task } = copy;
  if (copy.changedFiles.length === 0) {
    throw new Problem(`you have changed nothing yet: ${copy.pathOf()}/ is as it was given`);
  }
  warnOfChanges(talk, copy);
  const server = await compile(scope, copy, (text) => talk.show(text));
  await build(scope, root, [`${task.chapter}-tests`], ['test']);

  const { passes, output } = await askOneTest(scope, root, task, server);
  if (!passes) {
    talk.say(`${talk.paint('red', 'still failing:')} ${task.test}`);
    const complaint = findComplaint(output);
    if (complaint !== '') talk.show(complaint.split('\n').map((line) => `  ${line}`.trimEnd()).join('\n'));
    talk.show(`all that it says: ${commandOf(root, task, server)}`);
    if (isImpatient(output)) sayPatience(talk);
    process.exitCode = 1;
    return;
  }
  talk.say(`passes now: ${task.test}`);
  talk.say(`all tests of ${task.chapter}, against your copy ...`);
  const all = await askAllTests(scope, root, task.chapter, server);
  if (all.failed.length > 0) {
    sayWhatElseFails(talk, task, all);
    process.exitCode = 1;
    return;
  }
  await succeed(context, copy, all.count);
}

const isImpatient = (output) => process.env.PATIENCE === '5' && output.includes('waited 5 s');

function sayPatience(talk) {
  talk.say('a test has waited 5 s in vain; if this machine is slow or busy:');
  talk.show('  PATIENCE=30 ./learn practice check');
}

function sayWhatElseFails(talk, task, { failed, output }) {
  talk.say(`${talk.paint('red', 'that works, and something else does not any more.')} Failing of ${task.chapter}'s tests:`);
  for (const name of failed) talk.say(`- ${name}`);
  talk.show(`what the first one says: ./learn test ${numberOf(task.chapter)} --practice -R ${quote(failed[0])}`);
  if (isImpatient(output)) sayPatience(talk);
}

async function succeed(context, copy, count) {
  const { progress, talk } = context;
  const { task, record } = copy;
  const wasOpen = !copy.isFinished;
  const words = { found: 'found', done: 'done', 'given-up': 'mended, after you had given it up' };
  if (wasOpen) {
    copy.update({ result: task.success });
    progress.add({ chapter: task.chapter, kind: task.kind, id: task.id, hash: task.hash, result: task.success, number: record.hints });
  }
  talk.say(`${talk.paint('green', `${words[copy.record.result]},`)} and all ${count} tests of ${task.chapter} pass.`);
  talk.say();
  talk.say(`Your change, in ${copy.pathOf()}/:`);
  talk.showDiff(diffOfLearner(copy));
  if (task.kind === 'bug') {
    talk.say("The chapter's own change (+) of the same lines (-), with its comments:");
    talk.showDiff(printReversed(task.patch));
  }
  await askWhy(talk, copy);
  if (task.kind === 'exercise' && await talk.confirm('Do you want to see one solution beside yours?')) talk.showDiff(task.patch.diff);
  talk.say(describeNext(context, task));
}

async function askWhy(talk, copy) {
  const sentence = await talk.ask('Why does it work? One sentence: ');
  if (!sentence) return;
  copy.note(`${new Date().toISOString().slice(0, 10)}, why it works: ${sentence}`);
  talk.say(`noted in ${copy.pathOf('notes.md')}`);
}

function describeNext({ root, progress }, task) {
  const next = chooseNext(root, progress, task.chapter);
  const number = numberOf(task.chapter);
  return next ? `next: ./learn practice ${number}   (${next.title})` : `next: ./learn practice list ${number}   (all its bugs are found)`;
}

/** The learner's change as a unified diff, from the copy as it was given. */
export function diffOfLearner(copy) {
  return copy.changedFiles.map((name) => {
    const [before, after] = [join(copy.folder, '.practice/given', name), join(copy.folder, name)].map((file) => (existsSync(file) ? file : '/dev/null'));
    const { status, stdout, error } = spawnSync('diff', ['-U', '2', '--label', 'given', '--label', 'yours', before, after], { encoding: 'utf8' });
    if (error || status > 1) return `${name} differs (and there is no program diff here to show how)\n`;
    return `${name}\n${stdout.split('\n').slice(2).join('\n')}`;
  }).join('\n');
}
