// The figures that a document shows: each `figures` marker with the lines it should have, and each `plot`
// marker with the picture it should have.

import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFigures } from './figures.mjs';
import { fleetResultsPath, isOfFleet, makeFleetFigures, readFleetResults } from './fleet-figures.mjs';
import { Problem } from './problem.mjs';
import { Results, resultsPath } from './results.mjs';

const measurementsPath = 'docs/measurements.md';
const picturesFolder = 'docs/measurements';
const painter = join(dirname(fileURLToPath(import.meta.url)), '../../bench/plots/pictures.mjs');

export class FigureMaker {
  #results;
  #pictures;

  constructor(project) {
    this.project = project;
  }

  // Read when first asked for: a project without figures needs no results.
  get results() {
    if (!this.#results) {
      if (!this.project.isFile(resultsPath)) throw new Problem(`there is no ${resultsPath}, from which these figures are made; make it with ./learn bench`);
      this.#results = new Results(this.project.readText(resultsPath), resultsPath, this.project.chapters.map(({ name }) => name));
    }
    return this.#results;
  }

  get fleetResults() {
    if (!this.project.isFile(fleetResultsPath)) throw new Problem(`there is no ${fleetResultsPath}, from which these figures are made; make it with ./learn fleet --record`);
    return readFleetResults(this.project.readText(fleetResultsPath));
  }

  // {marker, content} for each marker that can be followed; the others become findings.
  makeAll(document, report) {
    this.#checkEnds(document, report);
    return document.markersNamed('figures').flatMap((marker) => {
      const content = report.guard(document.path, marker.line, () => this.#make(document, marker));
      return content ? [{ marker, content }] : [];
    });
  }

  #make(document, marker) {
    if (marker.rest.includes('-->')) throw new Problem('the end of figures stands on a line of its own; put <!-- /figures --> on the next one');
    if (!document.figuresRange(marker)) throw new Problem('these figures have no end; put <!-- /figures --> on a line below this marker');
    const words = marker.rest.split(/\s+/).filter(Boolean);
    if (isOfFleet(words)) return makeFleetFigures(this.fleetResults, words);
    const link = posix.relative(posix.dirname(document.path), measurementsPath);
    return makeFigures(this.results, words, { ...this.project.chapterOf(document.path), link });
  }

  #checkEnds(document, report) {
    let isOpen = false;
    for (const { word, line } of document.markersNamed('figures', '/figures')) {
      if (word === '/figures' && !isOpen) report.add(document.path, line, 'this <!-- /figures --> has no <!-- figures ... --> before it; take it out');
      isOpen = word === 'figures';
    }
  }

  // The picture of a `plot` marker: {path, content}, or {skipped} where the packages that draw are not
  // installed. Throws a Problem when there is none of that name.
  async makePicture(document, marker) {
    const words = marker.rest.split(/\s+/).filter(Boolean);
    if (words.length !== 1) throw new Problem('cannot read this marker; write <!-- plot NAME -->');
    this.#pictures ??= await loadPictures();
    const { names, draw } = this.#pictures;
    if (!names.includes(words[0])) throw new Problem(`there is no plot "${words[0]}"; there are ${names.join(', ')}`);
    const path = `${picturesFolder}/${words[0]}.svg`;
    const shown = `](${posix.relative(posix.dirname(document.path), path)})`;
    if (!document.lines[marker.index + 1]?.includes(shown)) throw new Problem(`the line below this marker does not show the picture; write ![what there is to see${shown}`);
    const { results } = this;
    return draw ? { path, content: draw(words[0], results) } : { skipped: 'the packages that draw pictures are not installed (npm ci in tools/bench)' };
  }
}

// The names are known without any package; what draws is not there without them.
async function loadPictures() {
  const { names } = await import(join(dirname(painter), 'names.mjs'));
  try {
    return { names, draw: (await import(painter)).drawPicture };
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return { names };
  }
}

// What is wrong with the lines under a marker, or undefined. Blank lines around them are the author's.
export function describeStaleFigures(document, { marker, content }) {
  const { start, end } = document.figuresRange(marker);
  const recorded = trimBlankLines(document.lines.slice(start, end).map((line) => line.trim()));
  if (recorded.length === 0) return 'there are no figures under this marker yet';
  const length = Math.max(recorded.length, content.length);
  const line = [...Array(length).keys()].find((index) => recorded[index] !== content[index]?.trim());
  if (line === undefined) return undefined;
  const source = isOfFleet(marker.rest.split(/\s+/)) ? fleetResultsPath : resultsPath;
  return `the figures under this marker are stale: line ${line + 1} is ${quote(recorded[line])}, from ${source} it is ${quote(content[line])}`;
}

function trimBlankLines(lines) {
  const first = lines.findIndex((line) => line !== '');
  const last = lines.findLastIndex((line) => line !== '');
  return first < 0 ? [] : lines.slice(first, last + 1);
}

function quote(text) {
  return text === undefined ? 'missing' : `"${text}"`;
}
