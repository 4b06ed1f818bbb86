// AGENTS.md and llms.txt: what a reader's assistant is told of this folder is true.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listChapters } from '../../chapters.mjs';
import { modes } from '../ask-modes.mjs';
import { explainCommand, findCommands } from '../ask-references.mjs';
import { findLeaks, readSecrets } from '../ask-secrets.mjs';
import { writeLlms } from '../llms.mjs';
import { realRoot as root } from './ask-fixture.mjs';

const read = (name) => readFileSync(join(root, name), 'utf8');

test('llms.txt is what the README makes of it; node tools/loop/llms.mjs writes it anew', () => {
  assert.equal(read('llms.txt'), writeLlms(root));
});

test('llms.txt has a title, a summary, and a link for each chapter in its order, and each link leads somewhere', () => {
  const text = read('llms.txt');
  assert.match(text, /^# .+\n\n> .+/);
  const links = [...text.matchAll(/^- \[([^\]]+)\]\(([^)]+)\)/gm)].map(([, name, path]) => ({ name, path }));
  const chapters = links.filter(({ path }) => /^docs\/\d\d-/.test(path));
  assert.deepEqual(chapters.map(({ path }) => path), listChapters(root).map((name) => `docs/${name}.md`));
  for (const { name, path } of chapters) assert.equal(name.slice(0, 2), path.slice(5, 7));
  for (const { path } of links) assert.ok(existsSync(join(root, path)), path);
});

test('AGENTS.md and llms.txt name commands and paths that exist, and each mode', () => {
  for (const name of ['AGENTS.md', 'llms.txt']) {
    const text = read(name);
    assert.deepEqual(findCommands(text).filter(({ words }) => words[1] !== 'MODE').map(({ words }) => explainCommand(root, words)).filter(Boolean), [], name);
    const paths = [...text.matchAll(/`((?:chapters|common|docs|tests|tools)\/[\w./-]*)`|\]\(([\w./-]+)\)/g)].map(([, code, link]) => code ?? link);
    assert.ok(paths.length > 5);
    assert.deepEqual(paths.filter((path) => !existsSync(join(root, path))), [], name);
  }
  for (const mode of modes) assert.match(read('AGENTS.md'), new RegExp(`^\\| ${mode} \\|.*tools/loop/ask/${mode}\\.md`, 'm'));
});

test('AGENTS.md and llms.txt give nothing away', () => {
  const secrets = listChapters(root).flatMap((chapter) => readSecrets(root, chapter));
  for (const name of ['AGENTS.md', 'llms.txt']) assert.deepEqual(findLeaks(read(name), secrets), [], name);
});
