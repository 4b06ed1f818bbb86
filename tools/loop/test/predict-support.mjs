// Stories for the tests of predict: out of the chapters' texts, and a folder in which the command finds all but a build.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listChapters } from '../../chapters.mjs';
import { Document } from '../../docs/lib/markdown.mjs';
import { familyOf } from '../predict/facts.mjs';
import { listOptions } from '../predict/question.mjs';

export const root = new URL('../../..', import.meta.url).pathname;
export const chapters = listChapters(root);

/** The full name of a chapter: numbers change. */
export const chapterNamed = (name) => chapters.find((chapter) => chapter.slice(3) === name);

/** The story in a chapter's text, from the fence of a whole `./learn trace N --plain`; null where there is none. */
export function readRecordedStory(chapter) {
  const path = `docs/${chapter}.md`;
  const text = new Document(path, readFileSync(join(root, path), 'utf8'));
  const command = new RegExp(`^\\./learn trace ${Number(chapter.slice(0, 2))} --plain( -- --workers 2)?$`);
  const marker = text.markersNamed('run').find(({ rest }) => command.test(rest));
  return marker === undefined ? null : parsePlainTrace(text.fenceContent(text.findFence(marker)));
}

/** A story from the plain form of a trace. What the form says in words, as who is idle, is left out. */
export function parsePlainTrace(lines) {
  const story = [];
  for (const line of lines.slice(2)) {
    const [, role, text] = /^ {2}((?:server|child|thread)(?: \d+)?) {2,}(.*)$/.exec(line) ?? [];
    if (role !== undefined) story.at(-1).lines.push(parseLine(role, text));
    else if (/^[a-z]/.test(line) && !line.startsWith('one echo:')) story.push({ title: line, heading: line, lines: [], calls: [] });
  }
  for (const step of story) {
    step.isEcho = /receives its echo$/.test(step.title);
    const repeated = new Set(step.lines.flatMap(({ turns, length }, at) => (turns === undefined ? [] : step.lines.slice(at - length, at))));
    step.calls = step.lines.filter((line) => !repeated.has(line)).flatMap(({ returns = [] }) => returns);
  }
  return story;
}

function parseLine(role, text) {
  const [, length] = /^… (?:these (\d+) calls )?(?:again and again|[\d,]+ times)$/.exec(text) ?? [];
  if (/^… (these \d+ calls )?(again and again|[\d,]+ times)$/.test(text)) return { role, turns: 1000, length: Number(length ?? 1) };
  const isAsleep = / {3}\(asleep\)$/.test(text);
  const words = text.replace(/ {3}\(asleep\)$/, '');
  const [, count] = / {3}(\d+) calls$/.exec(words) ?? [];
  const call = parseCall(words.replace(/ {3}\d+ calls$/, '').replace(/^… /, ''));
  const ends = call !== null && !isAsleep && !/^the handler/.test(words);
  return { role, text: words, isAsleep, call, returns: ends ? Array(Number(count ?? 1)).fill(call.name) : [] };
}

function parseCall(text) {
  const [, interrupted] = /^the handler returns; (\w+) returns -1 EINTR$/.exec(text) ?? [];
  if (interrupted) return { name: interrupted, args: ['…'], result: '-1 EINTR' };
  const [, name, args, result] = /^(\w+)\((.*?)(?:\) = (.*)|\) is interrupted by a signal|\)|…)$/.exec(text) ?? [];
  return name === undefined ? null : { name, args: name === 'fork' || name === 'clone' ? [] : splitPlainly(args), result: result ?? null };
}

function splitPlainly(args) {
  const parts = [''];
  let depth = 0;
  for (const character of args) {
    if ('[{('.includes(character)) depth += 1;
    if (']})'.includes(character)) depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/**
 * A folder that stands for the project's: the chapters, the texts and what is built are the real ones, the journal is its
 * own, and nothing is installed or built from there.
 */
export function makeRoot() {
  const folder = mkdtempSync(join(tmpdir(), 'learn-predict-'));
  for (const name of ['chapters', 'docs', 'tests', 'common', 'build']) symlinkSync(join(root, name), join(folder, name));
  mkdirSync(join(folder, 'tools/learn'), { recursive: true });
  writeFileSync(join(folder, 'tools/learn/lib.sh'), 'build() { :; }\n');
  writeFileSync(join(folder, 'tools/learn/setup.sh'), 'need() { :; }\n');
  return folder;
}

/** Runs predict with `input` on its stdin: {code, out, err}. `whileRunning(child, out)` is called when output has come. */
export async function runPredict(folder, words, { input = '', environment = {}, whileRunning = () => {} } = {}) {
  const child = spawn(process.execPath, [join(root, 'tools/loop/predict.mjs'), ...words], {
    cwd: folder,
    env: { ...process.env, LEARN_ROOT: folder, LEARN_USAGE: './learn predict [CHAPTER]', ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => whileRunning(child, (out += text)));
  child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
  child.stdin.on('error', () => {}); // It has ended without reading all of it.
  if (input !== null) child.stdin.end(input);
  const watchdog = setTimeout(() => child.kill('SIGKILL'), 120_000);
  const [code] = await once(child, 'close');
  clearTimeout(watchdog);
  return { code, out, err };
}

export const removeRoot = (folder) => rmSync(folder, { recursive: true, force: true });

/** All that must hold of every question; `recordings` are those from which they were made. */
export function assertSound(questions, recordings, what) {
  assert.equal(new Set(questions.map(({ id }) => id)).size, questions.length, `${what}: two questions with one id`);
  for (const question of questions) {
    const say = `${what}: ${question.text} ${question.lines.join(' ')}`;
    const answer = question.answerIn(recordings);
    if (question.values === null) assert.ok(Number.isInteger(answer), say);
    else {
      const texts = listOptions(question, 1).map(({ text }) => text);
      assert.equal(question.values.filter((value) => value === answer).length, 1, `${say}: ${answer} of ${question.values}`);
      assert.equal(new Set(texts).size, texts.length, `${say}: ${texts}`);
      assert.ok(texts.length >= (question.fewest ?? 3) && texts.length <= 4, `${say}: ${texts}`);
      if (['next', 'asleep', 'presence'].includes(question.kind)) {
        assert.equal(new Set(question.values.map(familyOf)).size, texts.length, `${say}: two forms of one call in ${texts}`);
      }
    }
    const words = [question.text, ...question.lines, ...(question.values ?? []).map(question.nameValue)].join('\n');
    assert.doesNotMatch(words, /undefined|null|NaN|htons|127\.0\.0\.1|\b\d{5,}\b(?<!65536)|0x[0-9a-f]{5}|child \d|thread \d/, say);
    assert.match(question.text, /[.?)]$/, say);
    for (const { step, line } of question.spotsIn(recordings)) {
      const lines = (({ lines: calls, packets }) => calls ?? packets)((question.isGone ? recordings.there : recordings.here)[step]);
      assert.ok(line === null || line < lines.length, `${say}: line ${line} of step ${step}`);
    }
  }
}
