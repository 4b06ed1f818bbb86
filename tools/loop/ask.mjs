#!/usr/bin/env node
// Writes a prompt for a language model of the learner's own, or looks whether a reply keeps the rules of its prompt.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readNumber } from '../observe/command-line.mjs';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { describeSystemError, runTool } from '../observe/program.mjs';
import { checkReply } from './ask-check.mjs';
import { writeCore } from './ask-core.mjs';
import { cleanWords, findTest, listTests, recordTrace, runTest } from './ask-evidence.mjs';
import { gatherMaterial, readChapterText } from './ask-material.mjs';
import { modes } from './ask-modes.mjs';
import { fitPrompt } from './ask-prompt.mjs';
import { build } from './build.mjs';
import { copyToClipboard } from './clipboard.mjs';
import { readOptions as readWordsOf } from './options.mjs';
import { demandWord, findChapter } from './words.mjs';

const usage = 'ask MODE CHAPTER [--question TEXT] [--test NAME] [--trace] [--budget TOKENS] [--copy | --out FILE] | ask --check REPLY [MODE]';
const options = {
  question: { type: 'string' }, test: { type: 'string' }, trace: { type: 'boolean' }, budget: { type: 'string' },
  copy: { type: 'boolean' }, out: { type: 'string' }, check: { type: 'string' },
};
const longestReply = 1024 * 1024; // bytes
const root = process.env.LEARN_ROOT ?? resolve(import.meta.dirname ?? '.', '../..');
const from = process.env.LEARN_FROM ?? process.cwd();
const tell = (text) => process.stderr.write(`${text}\n`);

runTool('ask', usage, async (scope) => {
  const { values, positionals } = readWords(process.argv.slice(2));
  if (values.check !== undefined) return check(values, positionals);
  const { mode, chapter, budget } = readRequest(values, positionals);
  const evidence = await gatherEvidence(scope, values, chapter);
  const text = readChapterText(root, chapter);
  const core = writeCore(root, mode, chapter, { question: values.question, evidence, questions: text.questions });
  const prompt = fitPrompt(core, await gatherMaterial(scope, root, chapter, text, tell), budget);
  if (prompt.dropped.length > 0) tell(`left out, to fit into ${budget} tokens: ${prompt.dropped.join('; ')}`);
  await deliver(prompt, values);
});

function readWords(words) {
  return readWordsOf('ask', words, options, Infinity);
}

function readRequest(values, [modeWord, chapterWord, surplus]) {
  if (modeWord === undefined) throw new UsageProblem(`a mode and a chapter are wanted; the modes are ${modes.join(', ')}`);
  if (surplus !== undefined) throw new UsageProblem(`'${surplus}' is one word too many; words for the model go into --question "..."`);
  if (!modes.includes(modeWord) && modes.includes(chapterWord)) throw new UsageProblem(`the mode comes first: ./learn ask ${chapterWord} ${modeWord}`);
  const mode = demandWord(modeWord, modes, 'mode');
  if (chapterWord === undefined) throw new UsageProblem(`the chapter is wanted: ./learn ask ${mode} 3, for example`);
  const chapter = findChapter(root, chapterWord);
  if (values.copy && values.out !== undefined) throw new UsageProblem('--copy or --out FILE: give one of them');
  if (values.out === '') throw new UsageProblem('--out wants the name of a file');
  if (values.out !== undefined && values.out !== '-' && existsSync(resolve(from, values.out))) refuseFile(resolve(from, values.out)); // before there is work
  if (values.question !== undefined && values.question.trim() === '') throw new UsageProblem('--question wants words: --question "why does the parent close the client?"');
  if (mode === 'diagnose' && values.question === undefined && values.test === undefined && !values.trace) {
    throw new UsageProblem('diagnose wants something to start from: --test NAME, --trace or --question "what you see"');
  }
  return { mode, chapter, budget: readNumber(values, 'budget', { fallback: Infinity, minimum: 1, maximum: 100_000_000 }) };
}

/** What the learner's options ask for: [{title, lines}]. */
async function gatherEvidence(scope, values, chapter) {
  const evidence = [];
  if (values.test !== undefined) {
    const name = findTest(listTests(root, chapter), values.test, chapter);
    await build(scope, root, [`${chapter}-tests`], ['test']);
    const { result, lines } = await runTest(scope, root, chapter, name);
    if (result !== 'failed') tell(`the test has ${result === 'passed' ? 'passed' : 'been skipped'}: ${name}; the prompt says so`);
    evidence.push({ title: `The test "${name}" of ${chapter} has ${result === 'skipped' ? 'been skipped' : result}`, lines });
  }
  if (values.trace) {
    evidence.push({ title: `A trace that was recorded now: ./learn trace ${Number(chapter.slice(0, 2))} --plain`, lines: await recordTrace(scope, root, chapter) });
  }
  return evidence;
}

async function deliver({ text, tokens }, { copy, out }) {
  const size = `about ${tokens.toLocaleString('en')} tokens`;
  if (copy) tell(`on the clipboard, by ${await copyToClipboard(text)}: ${size}`);
  else if (out !== undefined && out !== '-') {
    const path = resolve(from, out);
    writeNewFile(path, text);
    tell(`written: ${path}, ${size}`);
  } else {
    if (process.env.LEARN_STDOUT === 'closed') throw new Problem('cannot write to stdout: it is closed; use --out FILE');
    await new Promise((done) => { process.stdout.write(text, () => done()); }); // that it failed is runTool's to say
    if (process.stdout.isTTY) tell(`(${size}; --copy puts it on the clipboard, --out FILE into a file)`);
  }
}

function refuseFile(path) {
  throw new Problem(`${path} is there already and stays as it is; name another file`);
}

// Never over something that is there; and no half of a prompt stays behind.
function writeNewFile(path, text) {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    if (error.code === 'EEXIST') refuseFile(path);
    if (error.syscall === 'write') rmSync(path, { force: true });
    const advice = error.code === 'ENOENT' ? '; the folder must be there before' : '';
    throw new Problem(`cannot write ${path}: ${describeSystemError({ message: error.message })}${advice}`);
  }
}

function check(values, [modeWord, surplus]) {
  const other = Object.keys(values).find((name) => name !== 'check');
  if (other) throw new UsageProblem(`--check looks at a reply; --${other} belongs to a prompt`);
  if (surplus !== undefined) throw new UsageProblem(`'${surplus}' is one word too many: a reply names its chapter in its first line`);
  const mode = modeWord === undefined ? undefined : demandWord(modeWord, modes, 'mode');
  const findings = checkReply(root, cleanWords(readReply(values.check)), mode);
  for (const { line, words } of findings) process.stdout.write(`line ${line}: ${words}\n`);
  if (findings.length > 0) throw new Problem(`${findings.length === 1 ? 'one thing' : `${findings.length} things`} in the reply ${findings.length === 1 ? 'breaks' : 'break'} the rules`);
  process.stdout.write('the reply keeps the rules that a machine can check; whether it is right, ask the machine: run what it names\n');
}

function readReply(name) {
  if (name === '') throw new UsageProblem('--check wants a file, or - for what comes on stdin');
  const path = name === '-' ? 0 : resolve(from, name);
  let bytes;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Problem(`cannot read the reply: ${describeSystemError(error)}`);
  }
  if (bytes.length > longestReply) throw new Problem(`that is no reply: ${bytes.length.toLocaleString('en')} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem('the reply is not UTF-8 text; save it as text');
  }
}
