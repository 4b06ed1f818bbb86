// tools/insert-chapter: puts a chapter in behind another, or takes it out again.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findChapterBefore, isSideRoad, listChapters } from '../chapters.mjs';
import { writeLlms } from '../loop/llms.mjs';
import { findChapter } from '../loop/words.mjs';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { fictions, listFiles, renameChapters } from './rename.mjs';
import { isSkeleton, makeSkeleton } from './skeleton.mjs';

const usage = `usage: tools/insert-chapter AFTER NAME [--title TITLE] [--idea IDEA]
       tools/insert-chapter --undo NAME [--force]

Puts the chapter NAME in behind AFTER (a number or a name). All later chapters get new numbers: folders, texts, tests,
and every place where a text, a comment, a patch or a picture names one. NAME has no number: its words are small letters,
with a dash between them. The new chapter has the server of AFTER, one test, a row in the README and a text whose sections
are empty: the marker <!-- unfinished --> says so, and tools/check refuses it until the text is there. Behind a side road it has the
server of the chapter from which that was left.

  --title TITLE   what its text is called (default: made of NAME)
  --idea IDEA     the idea in a few words, without a full stop: the first line of its server, and its row in the README
  --undo NAME     takes a chapter out, and gives the later ones their old numbers: the tree is as it was before. It
                  refuses where the chapter has been worked on, or is named elsewhere; --force does it all the same
  --no-sync       leaves what is generated in the texts as it is, for you to call tools/docs/docs sync --no-run

Commit before you call it: what it has done is then one git diff.
`;

const root = process.env.INSERT_CHAPTER_ROOT ?? join(dirname(fileURLToPath(import.meta.url)), '../..');

function main(words) {
  const { values, positionals } = readWords(words);
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  if (values.undo !== undefined) undo(values, positionals);
  else insert(values, positionals);
}

function readWords(words) {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        title: { type: 'string' }, idea: { type: 'string' }, undo: { type: 'string' }, force: { type: 'boolean' },
        'no-sync': { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageProblem(error.message.split('. ')[0].replace(/\s+/g, ' '));
  }
}

// --- In ---------------------------------------------------------------------------------------------

function insert(values, [after, bareName, surplus]) {
  if (bareName === undefined) throw new UsageProblem('the chapter behind which it goes, and its name, are wanted');
  if (surplus !== undefined) throw new UsageProblem(`'${surplus}' is one word too many`);
  if (values.force) throw new UsageProblem('--force is for --undo');
  const names = listChapters(root);
  const before = findChapter(root, after);
  demandNewName(bareName, names);
  const place = names.indexOf(before) + 1;
  const model = isSideRoad(root, before) ? findChapterBefore(root, before) : before;
  const followers = findFollowers(names, place, model);
  if (Number(names.at(-1).slice(0, 2)) === 99) throw new Problem('there are 99 chapters, and a number has two digits');

  const name = `${withTwoDigits(Number(before.slice(0, 2)) + 1)}-${bareName}`;
  const title = values.title ?? titleOf(bareName);
  const idea = (values.idea ?? `as chapter ${model.slice(0, 2)}, so far`).replace(/\.$/, '');
  demandOneLine({ title, idea });
  renameChapters(root, names, new Map(names.slice(place).map((other) => [other, shift(other, 1)])));
  makeSkeleton(root, { before: model, name, title, idea, next: takeNext(before, `- Next: [${name.slice(0, 2)} ${title}](${name}.md).\n`) });
  editReadme(before, (row) => `${row}\n${rowOf(name, title, idea)}`);
  for (const follower of followers) pointAnchors(shift(follower, 1), model, name);
  sync(values);
  process.stdout.write(`chapters/${name} is there, with the server of ${model}; ${describeShift(names.length - place, 'up')}
yours are, in this order: its server, its tests (tests/chapters/${name}.cpp: promises, limits, why), its text
(docs/${name}.md), its row in README.md, and what begins with it (BEGINS in its CMakeLists.txt, [from-${bareName}] in tests)
a sentence that says "the chapter before", or counts chapters, is not found by any tool: read ${[before, shift(names[place] ?? name, names[place] ? 1 : 0)].map((other) => `docs/${other}.md`).join(' and ')} again
`);
}

function demandNewName(name, names) {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) throw new UsageProblem(`'${name}' is no name for a chapter: small letters, with a dash between words, and no number before them`);
  const other = names.find((chapter) => chapter.slice(3) === name);
  if (other) throw new UsageProblem(`there is a chapter ${other} already`);
}

function demandOneLine(texts) {
  for (const [what, text] of Object.entries(texts)) {
    if (text.trim() === '' || /[\n|[\]]/.test(text)) throw new UsageProblem(`--${what} wants words on one line, without | and brackets`);
  }
}

const withTwoDigits = (number) => String(number).padStart(2, '0');
const shift = (name, by) => `${withTwoDigits(Number(name.slice(0, 2)) + by)}${name.slice(2)}`;
const titleOf = (name) => name[0].toUpperCase() + name.slice(1).replaceAll('-', ' ');
const rowOf = (name, title, idea) => `| [${name.slice(0, 2)} ${title}](docs/${name}.md) | ${idea} | |`;

function describeShift(count, way) {
  return count === 0 ? 'it is the last' : `${count === 1 ? 'one later chapter has' : `${count} later chapters have`} moved ${way} by one`;
}

// --- Out --------------------------------------------------------------------------------------------

function undo(values, words) {
  if (words.length > 0 || values.title !== undefined || values.idea !== undefined) throw new UsageProblem('--undo takes the name of one chapter');
  const names = listChapters(root);
  const name = findChapter(root, values.undo);
  const place = names.indexOf(name);
  if (place === 0) throw new Problem(`${name} is the first chapter, and there is none before it`);
  const before = names[place - 1];
  const model = findChapterBefore(root, name);
  const followers = isSideRoad(root, name) ? [] : findFollowers(names, place + 1, name);
  if (!values.force) {
    if (!isSkeleton(root, model, name)) throw new Problem(`${name} has been worked on; --force takes it out all the same (it stays in git's history, if it is there)`);
    const others = findNames(name, before);
    if (others.length > 0) throw new Problem(`${name} is named in ${others.join(', ')}; --force takes it out all the same, and leaves that to you`);
  }
  const next = takeNext(name, '');
  takeNext(before, next);
  for (const follower of followers) pointAnchors(follower, name, model);
  editReadme(name, () => undefined);
  for (const path of listFiles(root)) {
    if (path.split('/').some((part) => part.replace(/\..*$/, '') === name)) rmSync(join(root, path));
  }
  removeEmptyFolders(name);
  // The numbers that are left are those of the other chapters: a text that still says this one's keeps it.
  renameChapters(root, names, new Map(names.slice(place + 1).map((other) => [other, shift(other, -1)])));
  sync(values);
  process.stdout.write(`${name} is gone; ${describeShift(names.length - place - 1, 'down')}\n`);
}

// Folders of this chapter in which nothing is left.
function removeEmptyFolders(name) {
  for (const folder of ['chapters', 'tests/bugs', 'tests/exercises']) rmSync(join(root, folder, name), { recursive: true, force: true });
}

// The files that name a chapter and are not its own: beside its row in the README, the Next of the chapter before, and
// what is generated in the text after it.
function findNames(name, before) {
  const generated = /^(?:---|\+\+\+|[-+ ]?\/\/ Chapter|<!-- (?:code|diff)).*$/gm;
  return listFiles(root).filter((path) => {
    if (fictions.test(path) || path === 'llms.txt' || path.split('/').some((part) => part.startsWith(name))) return false;
    let text = readFileSync(join(root, path), 'utf8').replace(generated, '');
    if (path === 'README.md') text = text.split('\n').filter((line) => !line.includes(`](docs/${name}.md) |`)).join('\n');
    if (path === `docs/${before}.md`) text = text.replace(/^- Next: [\s\S]*/m, '');
    return new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(text);
  });
}

// --- Both -------------------------------------------------------------------------------------------

// Puts `replacement` in the place of the item "Next" at the end of a chapter's text, and returns what stood there.
function takeNext(name, replacement) {
  const path = join(root, 'docs', `${name}.md`);
  if (!existsSync(path)) return '';
  const text = readFileSync(path, 'utf8');
  const item = /^- Next: .*\n(?: {2}\S.*\n)*/m.exec(text)?.[0] ?? '';
  if (item === '') throw new Problem(`docs/${name}.md has no item that begins with "- Next: "; write it, at the end of "Read on"`);
  writeFileSync(path, text.replace(item, () => replacement));
  return item;
}

// Changes the row of a chapter; without one that comes back it goes.
function editReadme(name, change) {
  const path = join(root, 'README.md');
  const lines = readFileSync(path, 'utf8').split('\n');
  const place = lines.findIndex((line) => line.startsWith('| [') && line.includes(`](docs/${name}.md) |`));
  if (place < 0) throw new Problem(`README.md has no row for docs/${name}.md in its table of chapters; add it`);
  const row = change(lines[place]);
  lines.splice(place, 1, ...(row === undefined ? [] : [row]));
  writeFileSync(path, lines.join('\n'));
}

// The chapters from `place` on that go on from `before`: the next one, and with it each side road and the one behind it.
function findFollowers(names, place, before) {
  return names.slice(place).filter((name) => findChapterBefore(root, name) === before);
}

// In a chapter's text a diff may begin at the first line of the server before: -"// Chapter NN". That is another one now.
function pointAnchors(name, from, to) {
  const path = join(root, 'docs', `${name}.md`);
  if (!name || !existsSync(path)) return;
  const pointed = (marker) => marker.replaceAll(`-"// Chapter ${from.slice(0, 2)}`, `-"// Chapter ${to.slice(0, 2)}`);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^<!-- diff (?!.* from ).*-->$/gm, pointed));
}

// What the texts show of code, and the tables and pictures of the measurements. Sessions are not recorded again: of
// them only the numbers change, and they have been changed.
function sync({ 'no-sync': isOff }) {
  writeFileSync(join(root, 'llms.txt'), writeLlms(root)); // the rows of the README
  if (isOff) return;
  const { status, stdout, stderr } = spawnSync(join(root, 'tools/docs/docs'), ['sync', '--no-run'], { encoding: 'utf8' });
  if (status !== 0) throw new Problem(`the numbers are changed, but tools/docs/docs sync --no-run says:\n${stdout ?? ''}${stderr ?? ''}`.trimEnd());
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Problem) && !(error instanceof UsageProblem)) throw error;
  process.stderr.write(`insert-chapter: ${error.message}\n`);
  if (error instanceof UsageProblem) process.stderr.write(usage.slice(0, usage.indexOf('\n\n') + 1));
  process.exitCode = error instanceof UsageProblem ? 2 : 1;
}
