#!/usr/bin/env node
// For the commands that take --practice: compiles the copy that is current, and prints on one line its chapter, its
// folder, how far it is (begun, found, done, given-up) and its executable, with tabs between them. With --no-build the
// last of them is left out.

import { parseArgs } from 'node:util';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { runTool } from '../observe/program.mjs';
import { commandFor, demandCurrent, listCopies } from './practice/copy.mjs';
import { compile } from './practice/compile.mjs';

runTool('practice', 'practice-copy [CHAPTER] [--no-build]', async (scope) => {
  const { values, positionals: [chapter, surplus] } = parseArgs({ allowPositionals: true, options: { 'no-build': { type: 'boolean' } } });
  if (surplus !== undefined) throw new UsageProblem(`'${surplus}' is one word too many`);
  const root = process.env.LEARN_ROOT ?? process.cwd();
  const copy = demandCurrent(root);
  if (chapter !== undefined && chapter !== copy.task.chapter) throw explainOther(root, copy, chapter);
  const words = [copy.task.chapter, copy.pathOf(), copy.record.result];
  if (!values['no-build']) words.push(await compile(scope, copy, (text) => process.stderr.write(`${text}\n`)));
  process.stdout.write(`${words.join('\t')}\n`);
});

function explainOther(root, copy, chapter) {
  const other = listCopies(root).find(({ task }) => task.chapter === chapter);
  return new Problem(`the copy that is current is ${copy.pathOf()}, of ${copy.task.chapter}; ${other ? `go on with ${other.pathOf()}: ${commandFor(other.task)}`
    : `for one of ${chapter}: ./learn practice ${Number(chapter.slice(0, 2))}`}`);
}
