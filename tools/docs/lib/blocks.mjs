// The blocks that are made from code: each `diff`, `file` and `code` marker with the fence it should have.
//
// A block is {marker, kind, language, content} and what coverage needs: a diff block has {file, selected}
// with rows of the file's edit script, the others have {path, selected} with line numbers. A diff from
// another chapter than the one before has neither: it shows a second view of lines, and covers none.

import { findItem, parseAnchors, readArguments, takeWord } from './anchors.mjs';
import { languageOf, renderLines, selectLines } from './code-blocks.mjs';
import { FileDiff } from './diff-blocks.mjs';
import { Problem } from './problem.mjs';
import { makeSource } from './project.mjs';

export class BlockMaker {
  #diffs = new Map();

  constructor(project, document) {
    this.project = project;
    this.document = document;
    this.neighbours = project.chapterOf(document.path);
  }

  // A marker that cannot be followed becomes a finding, and has no block.
  makeAll(report) {
    const blocks = [];
    const rests = [];
    for (const marker of this.document.markersNamed('diff', 'file', 'code')) {
      report.guard(this.document.path, marker.line, () => {
        const request = this.#readRequest(marker);
        if (request.isRest) rests.push(request);
        else blocks.push(this.#makeBlock(request));
      });
    }
    // What is left is known when all others are made.
    for (const request of rests) {
      report.guard(this.document.path, request.marker.line, () => blocks.push(this.#makeRestBlock(request, blocks)));
    }
    return blocks.sort((a, b) => a.marker.index - b.marker.index);
  }

  #readRequest(marker) {
    const found = readArguments(marker.rest);
    const file = takeWord(found, 'a file');
    const from = marker.word === 'diff' ? this.#takeFrom(found) : undefined;
    const anchors = parseAnchors(found);
    if (marker.word === 'diff' && anchors.length === 0) {
      throw new Problem(`say what of ${file} to show: fn:NAME, type:NAME, +"text" .. +"text", or rest`);
    }
    if (marker.word === 'file' && !anchors.every(({ kind, side }) => (kind === 'fn' || kind === 'type') && side === 'new')) {
      throw new Problem('a file marker shows a whole file, or new parts of one by fn:NAME and type:NAME; use a code marker for other lines');
    }
    const isRest = marker.word === 'diff' && anchors[0].kind === 'rest';
    if (isRest && from) throw new Problem(`"rest" is what the diff since ${this.neighbours.previous.name} leaves; a diff from ${from.name} needs anchors`);
    return { marker, file, from, anchors, isRest };
  }

  // The earlier chapter that `from NAME` names; undefined without it, where the one before is meant.
  #takeFrom(found) {
    if (found[0]?.word !== 'from') return undefined;
    found.shift();
    const name = takeWord(found, 'a chapter after "from"');
    const { chapter, previous } = this.#demandNeighbours();
    const { chapters } = this.project;
    const from = chapters.find((other) => other.name === name);
    if (!from) throw new Problem(`there is no chapter ${name} to compare with; write its folder's name, such as ${previous.name}`);
    if (chapters.indexOf(from) >= chapters.indexOf(chapter)) throw new Problem(`${name} does not come before ${chapter.name}; name an earlier chapter`);
    if (from === previous) throw new Problem(`${name} is the chapter with which it is compared anyway; leave "from ${name}" out`);
    return from;
  }

  #makeBlock({ marker, file, from, anchors }) {
    if (from) {
      const diff = this.#compareFile(file, from);
      return { marker, kind: 'diff', language: 'diff', content: diff.render(diff.select(anchors)) };
    }
    if (marker.word === 'diff') {
      const diff = this.diffOf(file);
      return this.#diffBlock(marker, diff, diff.select(anchors));
    }
    if (marker.word === 'file' && anchors.length > 0) return this.#newPartsBlock(marker, file, anchors);
    const path = marker.word === 'file' ? this.#newFilePath(file) : this.resolvePath(file);
    const source = this.project.readSource(path);
    const selected = selectLines(source, anchors);
    return { marker, kind: 'code', path, selected, language: languageOf(path), content: renderLines(source, selected) };
  }

  // A new function in a file that is not new reads better as code than as a diff of nothing but plus signs.
  #newPartsBlock(marker, file, anchors) {
    const { old, new: source } = this.diffOf(file).sources;
    for (const anchor of anchors) {
      const item = findItem(source, anchor);
      if (old.items.some((other) => other.kind === item.kind && other.fullName === item.fullName)) {
        throw new Problem(`${anchor.kind}:${anchor.name} is in ${this.neighbours.previous.name} already; show what changes in it with a diff marker`);
      }
    }
    const selected = selectLines(source, anchors);
    return { marker, kind: 'code', path: source.path, selected, isNew: true, language: languageOf(source.path), content: renderLines(source, selected) };
  }

  #makeRestBlock({ marker, file }, blocks) {
    const diff = this.diffOf(file);
    const shown = this.shownRows(diff, blocks);
    const left = diff.demandedRows.filter((row) => !shown.has(row));
    if (left.length === 0) throw new Problem(`the other blocks show every change of ${file}; take this marker out`);
    return this.#diffBlock(marker, diff, diff.selectRows(left));
  }

  #diffBlock(marker, diff, selected) {
    return { marker, kind: 'diff', file: diff.file, selected, language: 'diff', content: diff.render(selected) };
  }

  // The rows of a file's edit script that the blocks show. Of what is new, code shown as code counts too.
  shownRows(diff, blocks) {
    const shown = new Set();
    for (const block of blocks) {
      if (block.file === diff.file) block.selected.forEach((row) => shown.add(row));
      const isNew = block.isNew || diff.sources.old.lines.length === 0;
      if (isNew && block.path === diff.sources.new.path) block.selected.forEach((line) => shown.add(diff.rowOf.new[line]));
    }
    return shown;
  }

  diffOf(file) {
    if (!this.#diffs.has(file)) this.#diffs.set(file, this.#compareFile(file, this.#demandNeighbours().previous));
    return this.#diffs.get(file);
  }

  #compareFile(file, old) {
    const { chapter } = this.#demandNeighbours();
    const [oldPath, newPath] = [`${old.folder}/${file}`, `${chapter.folder}/${file}`];
    if (!this.project.isFile(oldPath) && !this.project.isFile(newPath)) {
      throw new Problem(`neither ${old.name} nor ${chapter.name} has a file ${file}; correct the name`);
    }
    const diff = new FileDiff(file, this.#readSide(oldPath), this.#readSide(newPath));
    if (!diff.rows.some((row) => row.sign !== ' ')) {
      throw new Problem(`${file} is the same in ${old.name} and ${chapter.name}; take this marker out, or show it with a code marker`);
    }
    return diff;
  }

  #readSide(path) {
    return this.project.isFile(path) ? this.project.readSource(path) : makeSource(path, '');
  }

  #demandNeighbours() {
    if (!this.neighbours) throw new Problem('only the text of a chapter (docs/NN-name.md beside chapters/NN-name) has a diff; use a code marker');
    if (!this.neighbours.previous) throw new Problem('there is no chapter before this one to compare with; use a code marker');
    return this.neighbours;
  }

  #newFilePath(file) {
    if (!this.neighbours) throw new Problem('a file marker shows a file of a chapter; elsewhere use a code marker with the path from the root');
    const { chapter, previous } = this.neighbours;
    if (previous && this.project.isFile(`${previous.folder}/${file}`)) {
      throw new Problem(`${file} is in ${previous.name} already; show what changes in it with a diff marker`);
    }
    return this.#demandFile(`${chapter.folder}/${file}`);
  }

  // A path as a marker has it: a file of this document's chapter, or a path from the root.
  resolvePath(file) {
    if (file.startsWith('/') || file.split('/').includes('..')) {
      throw new Problem(`${file} is no path inside the project; write it from the root`);
    }
    const inChapter = this.neighbours && `${this.neighbours.chapter.folder}/${file}`;
    return inChapter && this.project.isFile(inChapter) ? inChapter : this.#demandFile(file);
  }

  #demandFile(path) {
    if (!this.project.isFile(path)) throw new Problem(`there is no file ${path}; correct the path`);
    return path;
  }
}

// What is wrong with the fence under a block's marker, or undefined. Blanks at a line's end do not
// count: editors take them away.
export function describeStaleFence(document, { marker, language, content }) {
  const fence = document.findFence(marker);
  if (!fence) return 'this marker has no fence yet';
  if (fence.language !== language) return `the fence under this marker is \`\`\`${fence.language}, it should be \`\`\`${language}`;
  const recorded = document.fenceContent(fence);
  const length = Math.max(recorded.length, content.length);
  const line = [...Array(length).keys()].find((index) => recorded[index]?.trimEnd() !== content[index]?.trimEnd());
  if (line === undefined) return undefined;
  return `the fence under this marker is stale: its line ${line + 1} is ${quote(recorded[line])}, from the code it is ${quote(content[line])}`;
}

function quote(text) {
  return text === undefined ? 'missing' : `"${text.trimEnd()}"`;
}
