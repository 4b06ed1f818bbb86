// ./learn: the chapters, what has been done of each, what is due, and what to do next.

import { runTool } from '../observe/program.mjs';
import { wrap } from './dialogue.mjs';
import { Progress } from './progress.mjs';
import { findNext, listDue, surveyChapters } from './steps.mjs';
import { formatTable } from './table.mjs';

// stdout is a pipe to ./learn, which has decided what may be written to the terminal behind it.
const codes = { bold: '1', faint: '2', red: '31', green: '32', yellow: '33' };
const paint = process.env.LEARN_COLOUR ? (style, text) => `\x1b[${codes[style]}m${text}\x1b[m` : (_, text) => text;

await runTool('list', './learn', () => {
  const root = process.env.LEARN_ROOT ?? process.cwd();
  const progress = new Progress(root);
  const chapters = surveyChapters(root, progress);
  const width = Number(process.env.LEARN_COLUMNS) || Infinity;
  const due = listDue(chapters);
  const next = findNext(root, chapters);
  const indent = ' '.repeat('next: '.length);
  process.stdout.write(`${[
    ...formatTable(chapters, { width, hasIdeas: true, paint }),
    '',
    ...(due.length > 0 ? [wrap(`due from earlier: ${due.join(', ')}`, Math.max(40, width))] : []),
    ...(progress.complaint === null ? [wrap(`next: ${paint('bold', next.command)}`, Math.max(40, width)), wrap(`${indent}${next.reason}`, Math.max(40, width))]
      : [wrap('what you have done cannot be read, and so no next thing is named', Math.max(40, width))]),
    ...(progress.unread.length > 0 ? [wrap(`(in ${'.learn/progress.tsv'} ${progress.unread.length === 1 ? '1 line' : `${progress.unread.length} lines`} cannot be read: ./learn progress)`, Math.max(40, width))] : []),
  ].join('\n')}\n`);
});
