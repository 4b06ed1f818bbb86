// What a learner's prompt is about: a question, a test that fails, a trace that was recorded now.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { listChapters, withoutNumber } from '../chapters.mjs';
import { findItems } from '../docs/lib/cpp-ranges.mjs';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { runProgram } from './run-program.mjs';
import { findNearest } from './words.mjs';

const mostLines = 200; // of an output: the beginning and the end say what it was
const widestLine = 400; // characters
const noise = /^(Filters: |Randomness seeded to: |Run with -\? for options|~+$|.* is a Catch2 v[\d.]+ host application\.)/; // of Catch2

/** The names of the tests that a chapter may have, as its sources tell them: its own, the contract's, the runtime's. */
export function listTests(root, chapter) {
  const chapters = listChapters(root);
  const begun = new Set(chapters.slice(0, chapters.indexOf(chapter) + 1).map(withoutNumber));
  // A part of the contract that begins with a later chapter is tagged with its name.
  const holds = (head) => [...head.matchAll(/\[from-([a-z0-9-]+)\]/g)].every(([, name]) => begun.has(name));
  const shared = ['tests/contract', 'tests/runtime'].flatMap((folder) => (existsSync(join(root, folder))
    ? readdirSync(join(root, folder)).filter((name) => name.endsWith('.cpp')).sort().map((name) => `${folder}/${name}`) : []));
  return [`tests/chapters/${chapter}.cpp`, ...shared].map((path) => readFileSync(join(root, path), 'utf8')).filter((text) => fitsChapter(root, chapter, text))
    .flatMap(findItems).filter(({ kind, head }) => kind === 'test' && holds(head))
    .map(({ name }) => name);
}

// A test of the runtime is of those chapters that have the headers which it includes.
function fitsChapter(root, chapter, text) {
  const folders = [`chapters/${chapter}`, 'common', 'tests'];
  return [...text.matchAll(/^#include "([^"]+)"/gm)].every(([, name]) => folders.some((folder) => existsSync(join(root, folder, name))));
}

/** The one test that is meant by its name, or by words of it in their order. Throws UsageProblem, with the nearest. */
export function findTest(names, wanted, chapter) {
  const words = wanted.toLowerCase().replace(`${chapter}/`, '').split(/\s+/).filter(Boolean);
  if (words.length === 0) throw new UsageProblem(`--test wants the name of a test of ${chapter}, or words of it`);
  const exact = names.find((name) => name.toLowerCase() === words.join(' '));
  if (exact) return exact;
  const form = new RegExp(words.map((word) => word.replace(/[^\w]/g, '\\$&')).join('.*'), 'i');
  const found = [...new Set(names.filter((name) => form.test(name)))];
  if (found.length === 1) return found[0];
  if (found.length > 1) {
    const shown = found.slice(0, 5).map((name) => `\n  ${name}`).join('');
    throw new UsageProblem(`'${wanted}' fits ${found.length} tests of ${chapter}; add a word:${shown}${found.length > 5 ? `\n  and ${found.length - 5} more` : ''}`);
  }
  const near = findNearestTests(names, words);
  throw new UsageProblem(`${chapter} has no test '${wanted}'${near.length > 0 ? `; the nearest:${near.map((name) => `\n  ${name}`).join('')}` : ''}`);
}

// Those that share most words with what was typed, a mistyped word among them; three at most.
function findNearestTests(names, words) {
  const count = (name) => {
    const own = name.toLowerCase().split(/[^\w]+/).filter((word) => word.length > 2);
    return words.filter((word) => own.includes(word) || (word.length > 3 && findNearest(word, own))).length;
  };
  return [...new Set(names)].map((name) => ({ name, hits: count(name) })).filter(({ hits }) => hits > 0)
    .sort((a, b) => b.hits - a.hits).slice(0, 3).map(({ name }) => name);
}

/**
 * Runs a test of a chapter that is built. Returns {result: 'passed' | 'failed' | 'skipped', lines}. Throws UsageProblem when
 * the chapter leaves that test out.
 */
export async function runTest(scope, root, chapter, name) {
  const folder = mkdtempSync(join(tmpdir(), 'learn-ask-'));
  scope.defer(() => rmSync(folder, { recursive: true, force: true }));
  const report = join(folder, 'report.xml');
  const form = `^${chapter}/${name.replace(/[\][().*+?^$|\\]/g, '\\$&')}$`;
  const { stderr } = await runProgram(scope, 'ctest', ['--preset', 'default', '--no-tests=ignore', '--output-junit', report, '-R', form], { cwd: root });
  const text = existsSync(report) ? readFileSync(report, 'utf8') : '';
  const found = /<testcase name="[^"]*"[^>]* status="(\w+)"[\s\S]*?<system-out>([\s\S]*?)<\/system-out>/.exec(text);
  if (!found && /<testsuite\b/.test(text)) throw new UsageProblem(`'${name}' is not asked of ${chapter}: it is a test of other chapters`);
  if (!found) throw new Problem(`ctest has left no report: ${stderr.trim().split('\n').at(-1)}`);
  const result = { run: 'passed', fail: 'failed' }[found[1]] ?? 'skipped';
  return { result, lines: cleanOutput(root, decodeXml(found[2])).filter((line) => !noise.test(line)) };
}

/** The trace of a session with the chapter's server, recorded now: lines. Throws Problem with its exit code, 77 for one. */
export async function recordTrace(scope, root, chapter) {
  const { status, stdout } = await runProgram(scope, join(root, 'learn'), ['trace', chapter, '--plain'], { cwd: root, stderr: 'inherit' });
  if (status !== 0) throw new Problem('without a trace there is no evidence: the reason is above', status ?? 1);
  return cleanOutput(root, stdout);
}

function decodeXml(text) {
  const names = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text.replace(/&(?:(lt|gt|quot|apos|amp)|#(\d+)|#x([0-9a-fA-F]+));/g,
    (_, name, decimal, hex) => (name ? names[name] : String.fromCodePoint(parseInt(decimal ?? hex, decimal ? 10 : 16))));
}

/** An output as lines for a prompt: no escape sequences, no path of this machine (the tests' are from build/), not too long. */
export function cleanOutput(root, text) {
  const lines = cleanWords(text).replaceAll(`${root}/`, '').replaceAll(root, '.').replaceAll(homedir() === '/' ? '\0' : homedir(), '~')
    .replace(/(?<=^|\s)\.\.\/(?=(?:tests|chapters|common)\/)/g, '').trimEnd().split('\n')
    .map((line) => (line.length > widestLine ? `${line.slice(0, widestLine)} … (${line.length - widestLine} characters more)` : line));
  while (lines.length > 0 && lines[0].trim() === '') lines.shift();
  if (lines.length <= mostLines) return lines;
  const before = Math.ceil(mostLines / 2);
  return [...lines.slice(0, before), `… (${lines.length - mostLines} lines left out)`, ...lines.slice(before - mostLines)];
}

/** Words without what a terminal would do, and without characters that nobody sees: a model might read them. */
export function cleanWords(text) {
  return text.replace(/\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)/g, '').replace(/\r\n?/g, '\n').replace(/\t/g, '    ')
    .replace(/[\x00-\x09\x0b-\x1f\x7f]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replace(/[\u200b\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]/gu, '');
}
