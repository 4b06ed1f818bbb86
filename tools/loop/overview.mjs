// ./learn progress: what has been done, chapter by chapter, and how it is taken elsewhere and brought back.

import { listChapters } from '../chapters.mjs';
import { makePainter } from '../observe/colour.mjs';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { runTool } from '../observe/program.mjs';
import { wrap } from './dialogue.mjs';
import { describeChapter } from './overview-chapter.mjs';
import { exportJournal, importJournal } from './overview-files.mjs';
import { readOptions } from './options.mjs';
import { Progress } from './progress.mjs';
import { count, formatDay } from './speech.mjs';
import { listDue, surveyChapters } from './steps.mjs';
import { formatTable } from './table.mjs';
import { findChapter } from './words.mjs';

const usage = './learn progress [CHAPTER | --export FILE | --import FILE]';

await runTool('progress', usage, async () => {
  const { values, positionals: [word] } = readOptions('progress', process.argv.slice(2), { export: { type: 'string' }, import: { type: 'string' } });
  if (values.export !== undefined && values.import !== undefined) throw new UsageProblem('--export and --import: one at a time');
  if (word !== undefined && (values.export ?? values.import) !== undefined) throw new UsageProblem(`all chapters are exported and imported: leave '${word}' out`);
  const root = process.env.LEARN_ROOT ?? process.cwd();
  if (listChapters(root).length === 0) throw new Problem(`there is no chapter in ${root}/chapters`);
  const chapter = word === undefined ? undefined : findChapter(root, word);
  const isMoved = (values.export ?? values.import) !== undefined; // Then what cannot be read or written is a failure.
  const progress = new Progress(root, isMoved ? { warn: () => {} } : {});
  if (values.export !== undefined) return exportJournal(progress, values.export);
  if (values.import !== undefined) return importJournal(progress, values.import);

  const width = process.stdout.isTTY ? process.stdout.columns : Infinity;
  const paint = makePainter();
  const all = surveyChapters(root, progress);
  const lines = chapter === undefined ? describeAll(progress, all, width, paint) : describeChapter(root, progress, all.find((survey) => survey.chapter === chapter), width, paint);
  process.stdout.write(`${lines.map((line) => (line.includes('\n') ? line : wrap(line, Math.max(40, Math.min(width, 100))))).join('\n')}\n`);
});

function describeAll(progress, chapters, width, paint) {
  const due = listDue(chapters);
  return [
    ...formatTable(chapters, { width, isFull: true, paint }).join('\n').split('\n'),
    '',
    ...(progress.complaint === null ? [`due: ${due.length > 0 ? due.join(', ') : 'nothing'}`] : []),
    ...describeJournal(progress),
  ];
}

function describeJournal({ entries, unread, complaint }) {
  if (complaint !== null) return [complaint];
  if (entries.length + unread.length === 0) return ['nothing is noted yet; what you do will be kept in .learn/progress.tsv'];
  const since = entries.length > 0 ? `, the first of ${formatDay(Date.parse(entries[0].time))}` : '';
  const lines = [`kept in .learn/progress.tsv: ${count(entries.length, 'line')}${since}`];
  if (unread.length === 1) lines.push(`1 more cannot be read, and is kept as it is: ${quote(unread[0])}`);
  if (unread.length > 1) lines.push(`${unread.length} more cannot be read, and are kept as they are; the first: ${quote(unread[0])}`);
  return lines;
}

function quote(line) {
  const words = line.replace(/[^\x20-\x7e\u00a0-\uffff]/g, ' ');
  return `'${words.slice(0, 40)}${words.length > 40 ? '…' : ''}'`;
}
