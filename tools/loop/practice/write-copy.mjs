#!/usr/bin/env node
// write-copy ROOT PATCH FOLDER: writes the copy that ./learn practice makes of a patch into FOLDER/chapters/CHAPTER. For
// tools/check-bugs, so that what is proved of a bug is proved of what a learner gets.

import { basename, dirname, join, relative } from 'node:path';
import { Problem, UsageProblem } from '../../observe/problem.mjs';
import { runTool } from '../../observe/program.mjs';
import { makeFiles } from './copy.mjs';
import { readSources, writeSources } from './files.mjs';
import { listTasks } from './stock.mjs';

runTool('write-copy', 'write-copy ROOT PATCH FOLDER', async () => {
  const [root, patch, folder] = process.argv.slice(2);
  if (folder === undefined) throw new UsageProblem('the project, a patch and a folder are wanted');
  const chapter = basename(dirname(patch));
  const task = listTasks(root, chapter).find(({ file }) => file === relative(root, patch));
  if (task === undefined) throw new Problem(`${patch} is no patch of ${chapter}`);
  const { files } = makeFiles(task, readSources(join(root, 'chapters', chapter)));
  writeSources(join(folder, 'chapters', chapter), files);
});
