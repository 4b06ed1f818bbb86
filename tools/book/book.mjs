// Builds the web book, and serves it: what ./learn book becomes.

import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Problem } from '../docs/lib/problem.mjs';
import { buildBook } from './lib/build.mjs';
import { serveFolder } from './lib/server.mjs';

const usage = process.env.LEARN_USAGE ?? './learn book [--port N | --build DIR] [--fresh]';

class UsageProblem extends Error {}

function readCommandLine(words) {
  let values;
  try {
    ({ values } = parseArgs({ args: words, options: { port: { type: 'string' }, build: { type: 'string' }, fresh: { type: 'boolean', default: false } } }));
  } catch (error) {
    throw new UsageProblem(error.message.split('. ')[0]);
  }
  if (values.build !== undefined && values.port !== undefined) throw new UsageProblem('--build serves nothing, so it takes no --port');
  if (values.build === '') throw new UsageProblem('--build needs a folder');
  const port = Number(values.port ?? 0);
  if (!/^\d{1,5}$/.test(values.port ?? '0') || port > 65535) throw new UsageProblem(`--port takes a number from 0 to 65535, and not "${values.port}"`);
  return { ...values, port };
}

async function main(words) {
  const { build, port, fresh } = readCommandLine(words);
  const root = process.env.LEARN_ROOT ?? resolve(fileURLToPath(import.meta.url), '../../..');
  const folder = build === undefined ? join(root, 'build/book/site') : resolve(process.env.LEARN_FROM ?? process.cwd(), build);
  const started = Date.now();
  const { pages, written, isKept } = await buildBook(root, folder, { cache: join(root, 'build/book/cache'), fresh, tell });
  finishLine();
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stderr.write(isKept ? 'the book is up to date\n' : `${pages} pages in ${seconds} s, ${written} files written\n`);
  if (build !== undefined) {
    process.stdout.write(`${folder}\n`);
    return;
  }
  const server = await serveFolder(folder, port);
  process.stdout.write(`the book is at ${server.address} (Ctrl-C ends it)\n`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close().then(() => process.exit(0)));
}

// On a terminal one line that is written over; elsewhere a line for each new thing.
let lastTold = '';
function tell(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text.split(':')[0] !== lastTold.split(':')[0]) process.stderr.write(`${text.split(':')[0]} ...\n`);
  lastTold = text;
}

function finishLine() {
  if (process.stderr.isTTY && lastTold !== '') process.stderr.write('\r\x1b[K');
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  finishLine();
  if (error instanceof UsageProblem) {
    process.stderr.write(`book: ${error.message}\nusage: ${usage}\n`);
    process.exitCode = 2;
  } else if (error instanceof Problem) {
    process.stderr.write(`book: ${error.message}\n`);
    process.exitCode = 1;
  } else if (error.code === 'EADDRINUSE' || error.code === 'EACCES') {
    process.stderr.write(`book: ${error.code === 'EADDRINUSE' ? 'another program has that port' : `not allowed: ${error.message}`}; leave --port out, and a free one is taken\n`);
    process.exitCode = 1;
  } else throw error;
}
