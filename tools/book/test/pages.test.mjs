// The built book as files: its links, its weight, and that everything of the project is in it.

import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { findDeadLinks } from '../lib/check-links.mjs';
import { Site } from '../lib/site.mjs';
import { listFiles, makeFolder, readPage, root, site } from './support.mjs';

const files = listFiles(site).filter((path) => !path.split('/').at(-1).startsWith('.'));
const book = new Site(root);

test('every link of every page leads to a page of the book, and to a place that is there', () => {
  assert.deepEqual(findDeadLinks(site, files), []);
});

test('a dead link is found: to a page, and to a place in a page', (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'a.html'), '<h1 id=top>a</h1><a href="gone.html">x</a> <a href="#nowhere">y</a> <a href="#top">z</a>');
  assert.equal(findDeadLinks(folder, ['a.html']).length, 2);
});

test('every text, every chapter and every source has its page', () => {
  const has = new Set(files);
  for (const { url } of book.documents) assert.ok(has.has(url), url);
  for (const path of book.sourcePaths) assert.ok(has.has(`code/${path}.html`), path);
  for (const { from, to } of book.pairs) assert.ok(has.has(`diff/${from.name}/${to.name}.html`), `${from.name} ${to.name}`);
});

test('from the first page all chapters are reached by "next", in their order, and back by "prev"', () => {
  const linkOf = (path, rel) => new RegExp(`<link rel=${rel} href="([^"]*)">`).exec(readPage(path))?.[1];
  const urls = ['index.html', ...book.chapters.map(({ url }) => url)];
  assert.deepEqual(urls.slice(0, -1).map((url) => linkOf(url, 'next')), urls.slice(1));
  assert.deepEqual(urls.slice(1).map((url) => linkOf(url, 'prev')), urls.slice(0, -1));
});

test('a page weighs less than 300 kB, uncompressed, with its scripts and its stylesheet', () => {
  const size = (path) => statSync(join(site, path)).size;
  const weights = files.filter((path) => path.endsWith('.html') && !path.startsWith('code/tests/')).map((path) => {
    const text = readPage(path);
    const assets = [...text.matchAll(/(?:src|href)="[^"]*?(assets\/[\w.-]+\.(?:js|css))"/g)].map(([, name]) => size(name));
    return { path, weight: size(path) + assets.reduce((sum, bytes) => sum + bytes, 0) };
  });
  assert.deepEqual(weights.filter(({ weight }) => weight > 300_000), []);
  const compressed = gzipSync(readFileSync(join(site, '01-iterative.html'))).length;
  assert.ok(compressed < 60_000, `${compressed} bytes`);
});

test('each recording can be read without a script: all its frames are in its page, and how its server was started', () => {
  for (const path of book.project.listFiles('docs/replay', /\.json$/)) {
    const { chapter, frames, options = [] } = JSON.parse(book.project.readText(path));
    const html = readPage(`replay/${chapter}.html`);
    for (const number of frames.keys()) assert.ok(html.includes(`<li id="frame-${number}">`), `${chapter}, frame ${number}`);
    assert.ok(html.includes(options.length === 0 ? '' : `The server was started with ${options.join(' ')}.`), chapter);
  }
});

test('the diffs of a text have every row that its fences have', () => {
  for (const page of book.documents.filter(({ chapter }) => chapter)) {
    const rows = page.document.fences.filter(({ language }) => language === 'diff')
      .flatMap((fence) => page.document.fenceContent(fence)).filter((line) => !line.startsWith('@@'));
    const html = readPage(page.url);
    const count = (form) => (html.match(form) ?? []).length;
    assert.equal(count(/<div class="d( m)?" data-o=/g), rows.filter((row) => row.startsWith('-')).length, `${page.path}, removed`);
    assert.equal(count(/<div class="a( m)?" data-n=/g), rows.filter((row) => row.startsWith('+')).length, `${page.path}, added`);
    assert.equal(count(/<div class=l data-o=/g), rows.filter((row) => !/^[-+]/.test(row)).length, `${page.path}, unchanged`);
  }
});

test('every question of the texts is a quiz of its page, with a reason for each wrong option', () => {
  for (const page of book.documents) {
    const html = readPage(page.url);
    assert.equal((html.match(/<section class=quiz /g) ?? []).length, page.document.markersNamed('quiz').length, page.path);
  }
  const options = readPage('13-epoll.html').match(/<details class="option wrong"[\s\S]*?<\/details>/g);
  assert.ok(options.length > 8 && options.every((option) => /<strong>Wrong\.<\/strong><\/p><p>.{8,}/.test(option)));
});

test('no page names a path of the machine or another address for its own parts', () => {
  for (const path of files.filter((name) => /\.(html|css|js|json)$/.test(name))) {
    const text = readPage(path);
    assert.ok(!text.includes(root), `${path} names ${root}`);
    assert.ok(!/(?:src|@import|url\()\s*=?\s*["']?https?:/.test(text.replace(/<(pre|code)\b[\s\S]*?<\/\1>/g, '')) || !path.endsWith('.html'), path);
  }
});
