// The documentation tool: `sync` writes the generated parts of the texts, `check` finds what is wrong.

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BlockMaker, describeStaleFence } from './lib/blocks.mjs';
import { checkCodeCoverage, checkDiffCoverage } from './lib/coverage.mjs';
import { describeStaleFigures, FigureMaker } from './lib/figure-blocks.mjs';
import { checkForm, checkPairs, isUnfinished } from './lib/form.mjs';
import { LinkChecker } from './lib/links.mjs';
import { MentionChecker } from './lib/mentions.mjs';
import { Problem, Report } from './lib/problem.mjs';
import { Project } from './lib/project.mjs';
import { areSameSession, describeDifference, SessionRunner } from './lib/sessions.mjs';

const usage = `usage: tools/docs/docs check [CHAPTER...]   find what is wrong in the texts
       tools/docs/docs sync [CHAPTER...]    write what is generated under the markers anew
       tools/docs/docs help

CHAPTER is a number or a name (3, 03-fork); all documents when none is given.
  --root DIR   another project's folder
  --no-run     leave out recorded sessions, which need a command to be run
`;

const help = `${usage}
Markers, each on its own line; the fence under one is written by sync:
  <!-- diff server.cpp ANCHOR... -->      changes since the chapter before, side roads passed over
  <!-- diff server.cpp rest -->           the changes that no other block shows
  <!-- diff server.cpp from 11-poll ANCHOR... -->
                                          changes since an earlier chapter that is not the one before;
                                          shown in addition, so they excuse no change from being shown
  <!-- diff-skip FILE COUNT: reason -->   COUNT changed lines that need not be shown
  <!-- file task.hpp -->                  a new file, whole
  <!-- file server.cpp fn:reap ... -->    new functions and types of a file that is not new, as code
  <!-- code PATH [ANCHOR...] -->          code of this chapter, or by a path from the root
  <!-- code-cover PATH... -->             demands that the code blocks show all of these files
  <!-- code-skip PATH COUNT: reason -->   COUNT lines that need not be shown
  <!-- run COMMAND -->                    what the command prints, recorded
  <!-- figures KIND ... --> ... <!-- /figures -->
                                          a table of the published run, between the two
  <!-- plot NAME -->                      a picture of it, which the next line shows
  <!-- test 03-fork "name" -->            demands that this test exists
  <!-- replay epoll 22 "the second" -->   demands that the event of this frame of a recording begins so
  <!-- quiz --> ... <!-- /quiz -->        a question, its options and its answer
  <!-- unfinished -->                     a chapter's text that is being written: its sections may be empty, and
                                          DOCS_STRICT=1 refuses it

Anchors:
  fn:echo  fn:Task::resume  fn:echo#2  fn:"echo(int fd"   a function with the comment above it
  type:Connection                                         a struct, class, union or enum
  old-fn:echo  old-type:Connection                        the same in the chapter before
  test:"the second client waits"                          a test (code blocks)
  "text"  "text" .. "text"                                from one line to another; -"text" is an old
                                                          line, +"text" a new one

Figures, made from docs/measurements/results.json:
  chapter                     in a chapter's text: it, the one before and the baseline, and what may be
                              claimed of it
  loads LOAD... [whole] [of SERVER...]
                              all servers, or these, at the loads; whole: with the load's processor time
  ranges LOAD                 messages a second and latencies as dated ranges
  counted  memory  idle  coroutine  knobs  machine  drift  left-out
and from docs/fleet-results.json:
  fleet [SCENARIO...]         what clients saw of the machines: of all, or of these side by side
  fleet-open                  where their connections were at the end

Environment: DOCS_STRICT=1 makes check fail when a session cannot be run on this machine.
`;

class UsageError extends Error {}

async function main(words) {
  const options = parseCommandLine(words);
  if (options.command === 'help') {
    process.stdout.write(help);
    return 0;
  }
  const project = new Project(options.root);
  const paths = chooseDocuments(project, options.chapters);
  const report = new Report();
  const summary = await (options.command === 'sync' ? sync : check)(project, paths, options, report);
  for (const line of [...report.noteLines(), ...report.findingLines()]) console.log(line);
  console.log(summary);
  return report.count > 0 ? 1 : 0;
}

function parseCommandLine(words) {
  const options = { root: resolve(dirname(fileURLToPath(import.meta.url)), '../..'), runs: true, chapters: [] };
  const rest = [...words];
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '--no-run') options.runs = false;
    else if (word === '--root') options.root = resolve(rest.shift() ?? fail('--root needs a folder'));
    else if (word === '--help' || word === '-h') options.command = 'help';
    else if (word.startsWith('-')) fail(`there is no option ${word}`);
    else if (options.command === undefined) options.command = word;
    else options.chapters.push(word);
  }
  if (options.command === undefined) fail('say what to do');
  if (!['sync', 'check', 'help'].includes(options.command)) fail(`there is no command "${options.command}"`);
  return options;
}

function fail(message) {
  throw new UsageError(message);
}

function chooseDocuments(project, wanted) {
  if (wanted.length === 0) return project.documentPaths;
  return wanted.map((word) => {
    const number = /^\d{1,2}$/.test(word) ? word.padStart(2, '0') : undefined;
    const path = project.documentPaths.find((other) => {
      const name = project.isChapterDocument(other) ? other.slice('docs/'.length, -'.md'.length) : undefined;
      return name !== undefined && (name === word || name.slice(0, 2) === number);
    });
    return path ?? fail(`no chapter "${word}" has a text in docs/`);
  });
}

function readDocuments(project, paths, report) {
  const documents = paths.map((path) => report.guard(path, 1, () => project.readDocument(path)));
  return documents.filter(Boolean);
}

// --- check ------------------------------------------------------------------------------------------

async function check(project, paths, options, report) {
  const counts = { diff: 0, code: 0, sessions: 0, figures: 0, pictures: 0 };
  const runner = new SessionRunner(project.root);
  const links = new LinkChecker(project);
  const mentions = new MentionChecker(project);
  const figures = new FigureMaker(project);
  if (options.chapters.length === 0) checkPairs(project, report);

  for (const document of readDocuments(project, paths, report)) {
    checkFences(document, report);
    const maker = new BlockMaker(project, document);
    const blocks = maker.makeAll(report);
    for (const block of blocks) {
      counts[block.kind] += 1;
      const fault = describeStaleFence(document, block);
      if (fault) report.add(document.path, block.marker.line, `${fault}; ${adviseSync(project, document)}`);
    }
    checkDiffCoverage(project, document, maker, blocks, report);
    checkCodeCoverage(project, document, maker, blocks, report);
    for (const marker of document.markersNamed('run')) {
      counts.sessions += 1;
      await checkSession(project, document, marker, options.runs ? runner : undefined, report);
    }
    for (const block of figures.makeAll(document, report)) {
      counts.figures += 1;
      const fault = describeStaleFigures(document, block);
      if (fault) report.add(document.path, block.marker.line, `${fault}; ${adviseSync(project, document)}`);
    }
    for (const marker of document.markersNamed('plot')) {
      counts.pictures += 1;
      await checkPicture(project, document, marker, figures, report);
    }
    if (maker.neighbours) checkForm(document, maker.neighbours.previous === undefined, report);
    checkFinished(document, report);
    links.check(document, report);
    report.guard(document.path, 1, () => mentions.check(document, report));
  }
  return summarise(project, paths, counts, options, report);
}

function checkFences(document, report) {
  const fence = document.unclosedFence();
  if (fence) report.add(document.path, fence.open + 1, 'this fence is never closed, so all below it is code; close it');
}

async function checkSession(project, document, marker, runner, report) {
  const add = (message) => report.add(document.path, marker.line, message);
  const fence = document.findFence(marker);
  if (marker.rest === '') return add('this marker names no command; write <!-- run ./learn trace 3 --plain -->');
  if (!fence) return add(`this session is not recorded yet; ${adviseSync(project, document)}`);
  if (!runner) return undefined;
  const { output, skipped, failed } = await runner.run(marker.rest);
  if (failed) return add(`${failed}; mend it, then ${adviseSync(project, document)}`);
  if (skipped) return reportUnchecked(document, marker, skipped, report);
  const recorded = document.fenceContent(fence);
  if (areSameSession(recorded, output)) return undefined;
  return add(`"${marker.rest}" prints something else than was recorded (- recorded, + now); ${adviseSync(project, document)}, and read the text around it again\n${describeDifference(recorded, output)}`);
}

async function checkPicture(project, document, marker, figures, report) {
  const picture = await makePicture(document, marker, figures, report);
  if (!picture) return;
  if (picture.skipped) reportUnchecked(document, marker, picture.skipped, report);
  else if (!project.isFile(picture.path)) report.add(document.path, marker.line, `${picture.path} is not drawn yet; ${adviseSync(project, document)}`);
  else if (project.readText(picture.path) !== picture.content) report.add(document.path, marker.line, `${picture.path} is stale; ${adviseSync(project, document)}, and look at it`);
}

// As Report.guard, for work that takes its time.
async function makePicture(document, marker, figures, report) {
  try {
    return await figures.makePicture(document, marker);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    report.add(document.path, marker.line, error.message);
    return undefined;
  }
}

// While the work goes on a text may be empty; what is shown to others is whole.
function checkFinished(document, report) {
  if (!isUnfinished(document)) return;
  const [{ line }] = document.markersNamed('unfinished');
  if (process.env.DOCS_STRICT === '1') report.add(document.path, line, 'this text is not finished; write it, and take the marker out');
  else report.note(document.path, line, 'this text is not finished; tools/check refuses it');
}

function reportUnchecked(document, marker, reason, report) {
  if (process.env.DOCS_STRICT === '1') report.add(document.path, marker.line, `not checked here: ${reason}; give it what it needs, or unset DOCS_STRICT`);
  else report.note(document.path, marker.line, `not checked here: ${reason}`);
}

function adviseSync(project, document) {
  const number = project.chapterOf(document.path)?.chapter.number;
  return `run tools/docs/docs sync${number ? ` ${Number(number)}` : ''}`;
}

function summarise(project, paths, counts, options, report) {
  const chapters = paths.filter((path) => project.chapterOf(path)).length;
  const parts = [
    count(chapters, 'chapter'),
    count(counts.diff, 'diff block'),
    count(counts.code, 'code block'),
    ...(counts.figures > 0 ? [count(counts.figures, 'table') + ' of figures'] : []),
    ...(counts.pictures > 0 ? [count(counts.pictures, 'picture')] : []),
    count(counts.sessions, 'recorded session') + (options.runs ? '' : ' (not run)'),
  ];
  return `docs: ${parts.join(', ')}: ${report.count === 0 ? 'all good' : count(report.count, 'finding')}`;
}

function count(number, what) {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

// --- sync -------------------------------------------------------------------------------------------

async function sync(project, paths, options, report) {
  const runner = new SessionRunner(project.root);
  const figures = new FigureMaker(project);
  const written = { fences: 0, tables: 0, pictures: 0, files: 0 };
  for (const document of readDocuments(project, paths, report)) {
    if (document.unclosedFence()) {
      checkFences(document, report); // nobody can tell where the text goes on, so nothing is written
      continue;
    }
    const blocks = new BlockMaker(project, document).makeAll(report);
    const fences = blocks.filter((block) => describeStaleFence(document, block));
    for (const marker of options.runs ? document.markersNamed('run') : []) {
      const content = await recordSession(document, marker, runner, report);
      if (content) fences.push({ marker, language: 'text', content });
    }
    const tables = figures.makeAll(document, report).filter((block) => describeStaleFigures(document, block));
    for (const marker of document.markersNamed('plot')) written.pictures += await drawPicture(project, document, marker, figures, report);
    if (fences.length + tables.length === 0) continue;
    writeFileSync(join(project.root, document.path), document.rewrite([...fences, ...tables]));
    written.fences += fences.length;
    written.tables += tables.length;
    written.files += 1;
  }
  const problems = report.count === 0 ? '' : `, ${count(report.count, 'marker')} could not be followed`;
  const parts = [count(written.fences, 'fence'), ...(written.tables > 0 ? [`${count(written.tables, 'table')} of figures`] : [])];
  const pictures = written.pictures > 0 ? `, ${count(written.pictures, 'picture')} drawn` : '';
  return `docs: ${parts.join(' and ')} written in ${count(written.files, 'file')}${pictures}${problems}`;
}

// Writes the picture's file where it is another than the one that is there; returns how many were written.
async function drawPicture(project, document, marker, figures, report) {
  const picture = await makePicture(document, marker, figures, report);
  if (picture?.skipped) report.note(document.path, marker.line, `not drawn here: ${picture.skipped}`);
  if (!picture?.path || (project.isFile(picture.path) && project.readText(picture.path) === picture.content)) return 0;
  mkdirSync(dirname(join(project.root, picture.path)), { recursive: true });
  writeFileSync(join(project.root, picture.path), picture.content);
  return 1;
}

// The session's new text; undefined when the recorded one may stay, so that a process id that changed
// changes no file.
async function recordSession(document, marker, runner, report) {
  if (marker.rest === '') {
    report.add(document.path, marker.line, 'this marker names no command; write <!-- run ./learn trace 3 --plain -->');
    return undefined;
  }
  const { output, skipped, failed } = await runner.run(marker.rest);
  if (failed) report.add(document.path, marker.line, `${failed}; mend it, then run this again`);
  if (skipped) report.note(document.path, marker.line, `not recorded here: ${skipped}`);
  if (!output) return undefined;
  const fence = document.findFence(marker);
  return fence && areSameSession(document.fenceContent(fence), output) ? undefined : output;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`docs: ${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
