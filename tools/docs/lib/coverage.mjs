// Demands that a chapter's text shows everything it should: every changed line of the chapter, and every
// line of the files that a `code-cover` marker names. A `-skip` marker excuses an exact number of lines,
// so that a new line is not excused along with the old ones.

import { isBlankLine, suggestForLine } from './code-blocks.mjs';
import { Problem } from './problem.mjs';

const skipForm = /^(\S+)\s+(\d+):\s+(\S.*)$/;

export function checkDiffCoverage(project, document, maker, blocks, report) {
  const skips = readSkips(document, 'diff-skip', (file) => file, report);
  const { chapter, previous } = maker.neighbours ?? {};
  if (!previous) {
    for (const { marker } of skips) report.add(document.path, marker.line, 'there is no diff here to skip a file of; take this marker out');
    return;
  }
  const place = document.headings.find((heading) => heading.text === 'The diff')?.line ?? 1;
  const files = new Set([...project.filesOfChapter(previous), ...project.filesOfChapter(chapter)]);
  for (const file of [...files].sort()) {
    const skip = skips.find((other) => other.path === file);
    report.guard(document.path, place, () => {
      const diff = compareIfChanged(maker, file);
      if (!diff) return;
      const shown = maker.shownRows(diff, blocks);
      const uncovered = new Set(diff.demandedRows.filter((row) => !shown.has(row)));
      if (skip) checkSkip(document, skip, uncovered.size, 'changed lines', report);
      else reportUncoveredRows(diff, uncovered, (message) => report.add(document.path, place, message));
    });
  }
  for (const { marker, path, isUsed } of skips) {
    if (!isUsed) report.add(document.path, marker.line, `nothing changes in ${path} between ${previous.name} and ${chapter.name}; take this diff-skip out`);
  }
}

// A file that is the same in both chapters has no diff, which is a Problem only for a marker that wants one.
function compareIfChanged(maker, file) {
  const { chapter, previous } = maker.neighbours;
  const { project } = maker;
  const texts = [previous, chapter].map(({ folder }) => (project.isFile(`${folder}/${file}`) ? project.readCode(`${folder}/${file}`) : undefined));
  const [oldLines, newLines] = texts.map((text) => text?.replace(/\r\n/g, '\n').replace(/\n$/, '') ?? '');
  return oldLines === newLines ? undefined : maker.diffOf(file);
}

function reportUncoveredRows(diff, uncovered, add) {
  const left = new Set(uncovered);
  const isNewFile = diff.sources.old.lines.length === 0;
  while (left.size > 0) {
    const [index] = left;
    const row = diff.rows[index];
    const { text, selected } = isNewFile ? { text: '', selected: left } : diff.suggestFor(index, left);
    const marker = isNewFile ? `<!-- file ${diff.file} -->` : `<!-- diff ${diff.file} ${text} -->`;
    const others = takeAll(left, selected) - 1;
    add(`no block shows ${diff.file}, ${describeRowPlace(row)}: "${row.sign}${row.text}"${countOthers(others)}; add ${marker}`);
  }
}

function describeRowPlace(row) {
  return row.sign === '-' ? `old line ${row.oldLine}` : `line ${row.newLine}`;
}

export function checkCodeCoverage(project, document, maker, blocks, report) {
  const skips = readSkips(document, 'code-skip', (path) => maker.resolvePath(path), report);
  for (const marker of document.markersNamed('code-cover')) {
    report.guard(document.path, marker.line, () => {
      for (const path of expandPaths(project, maker, marker.rest)) {
        const source = project.readSource(path);
        const shown = new Set(blocks.filter((block) => block.path === path).flatMap((block) => [...block.selected]));
        const lines = source.lines.map((_, index) => index + 1);
        const uncovered = new Set(lines.filter((line) => !isBlankLine(source, line) && !shown.has(line)));
        const skip = skips.find((other) => other.path === path);
        if (skip) checkSkip(document, skip, uncovered.size, 'lines', report);
        else reportUncoveredLines(source, uncovered, (message) => report.add(document.path, marker.line, message));
      }
    });
  }
  for (const { marker, path, isUsed } of skips) {
    if (!isUsed) report.add(document.path, marker.line, `no code-cover marker of this document names ${path}; take this code-skip out`);
  }
}

function reportUncoveredLines(source, uncovered, add) {
  const left = new Set(uncovered);
  while (left.size > 0) {
    const [line] = left;
    const suggestion = suggestForLine(source, line, left);
    const others = takeAll(left, suggestion?.selected ?? new Set([line])) - 1;
    const advice = suggestion ? `add <!-- code ${source.path} ${suggestion.text} -->` : `show it with a code marker, or excuse it with <!-- code-skip ${source.path} COUNT: reason -->`;
    add(`no block shows ${source.path}, line ${line}: "${source.lines[line - 1]}"${countOthers(others)}; ${advice}`);
  }
}

// Removes the members of `taken` from `left`; returns how many there were.
function takeAll(left, taken) {
  const before = left.size;
  for (const member of [...left]) if (taken.has(member)) left.delete(member);
  return before - left.size;
}

function countOthers(count) {
  return count === 0 ? '' : ` and ${count} more ${count === 1 ? 'line' : 'lines'}`;
}

function readSkips(document, word, resolve, report) {
  return document.markersNamed(word).flatMap((marker) => {
    const skip = report.guard(document.path, marker.line, () => {
      const [, path, count] = skipForm.exec(marker.rest) ?? [];
      if (path === undefined) throw new Problem(`cannot read this ${word}; write <!-- ${word} FILE COUNT: the reason -->`);
      return { marker, word, path: resolve(path), count: Number(count), isUsed: false };
    });
    return skip ? [skip] : [];
  });
}

function checkSkip(document, skip, actual, what, report) {
  skip.isUsed = true;
  if (actual === skip.count) return;
  const advice = actual === 0 ? 'take this marker out' : `show the new ones, or write ${actual} when the reason holds for all of them`;
  report.add(document.path, skip.marker.line, `${skip.word} ${skip.path} excuses ${skip.count}, but ${actual} ${what} of it are not shown; ${advice}`);
}

function expandPaths(project, maker, text) {
  const words = text.split(/\s+/).filter(Boolean);
  if (words.length === 0) throw new Problem('code-cover needs the files to cover, such as common/*.hpp');
  return words.flatMap((word) => {
    if (!word.includes('*')) return [maker.resolvePath(word)];
    const form = new RegExp(`^${word.split('*').map(escapeForRegExp).join('[^/]*')}$`);
    const paths = project.listFiles(word.split('/')[0]).filter((path) => form.test(path));
    if (paths.length === 0) throw new Problem(`${word} matches no file; correct it`);
    return paths;
  });
}

function escapeForRegExp(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
