// Draws the pictures of docs/measurements.md from the published run, or from another run's file.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listChapters } from '../chapters.mjs';
import { Problem } from '../docs/lib/problem.mjs';
import { Results, resultsPath } from '../docs/lib/results.mjs';
import { names } from './plots/names.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

const usage = `usage: node tools/bench/plots.mjs [RESULTS.json] [OUT-DIR]

Draws ${names.map((name) => `${name}.svg`).join(', ')} into OUT-DIR (docs/measurements) from
RESULTS.json (${resultsPath}). Its packages: npm ci in tools/bench.
`;

// A picture that this run has nothing for is left out, and named.
async function main(words) {
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(usage);
    return 0;
  }
  if (words.length > 2 || words.some((word) => word.startsWith('-'))) {
    process.stderr.write(usage);
    return 2;
  }
  const [path = join(root, resultsPath), folder = join(root, 'docs/measurements')] = words;
  const { drawPicture } = await import('./plots/pictures.mjs');
  const results = new Results(readFileSync(path, 'utf8'), path, listChapters(root));
  mkdirSync(folder, { recursive: true });
  let status = 0;
  for (const name of names) {
    try {
      writeFileSync(join(folder, `${name}.svg`), drawPicture(name, results));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      console.error(`plots: no ${name}.svg: ${error.message}`);
      status = 1;
    }
  }
  return status;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isMissing = error.code === 'ERR_MODULE_NOT_FOUND';
  if (!isMissing && !(error instanceof Problem) && !error.syscall) throw error;
  console.error(`plots: ${isMissing ? 'the packages that draw are not installed; run npm ci in tools/bench' : error.message}`);
  process.exitCode = 1;
}
