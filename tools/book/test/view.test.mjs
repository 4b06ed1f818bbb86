// What the pages are made by: moved lines, marks within a line, pictures and their words.

import assert from 'node:assert/strict';
import test from 'node:test';
import { compareTexts } from '../../docs/lib/edits.mjs';
import { findMarks, findMoves } from '../view/changes.mjs';
import { compareChapters, renderComparison } from '../view/compare.mjs';
import { renderRows } from '../view/diff.mjs';
import { escapeHtml, renderLine, textOf } from '../view/html.mjs';
import { findMissing, labelsOf } from '../lib/picture-labels.mjs';
import { pathOfPicture, Pictures } from '../lib/pictures.mjs';

const plain = (lines) => lines.map((line) => ['', line]);

test('a line is coloured, escaped and marked across its tokens', () => {
  const tokens = ['t', 'int', '', ' a<b> = ', 'n', '42', '', ';'];
  assert.equal(textOf(tokens), 'int a<b> = 42;');
  assert.equal(renderLine(tokens), '<i class=t>int</i> a&lt;b&gt; = <i class=n>42</i>;');
  assert.equal(renderLine(tokens, { marks: [[9, 13]] }), '<i class=t>int</i> a&lt;b&gt; <mark>= <i class=n>42</i></mark>;');
  assert.equal(escapeHtml('"<&\''), '&quot;&lt;&amp;&#39;');
});

test('of two lines that are alike the words that differ are marked, and the indent is not', () => {
  const old = { sign: '-', text: '        check(count, "poll");' };
  const fresh = { sign: '+', text: '    check(count, "epoll_wait");' };
  const marks = findMarks([old], [fresh]);
  assert.deepEqual(marks.get(old).map(([start, end]) => old.text.slice(start, end)), ['poll']);
  assert.deepEqual(marks.get(fresh).map(([start, end]) => fresh.text.slice(start, end)), ['epoll_wait']);
});

test('two lines that have nothing to do with each other are not marked', () => {
  assert.equal(findMarks([{ sign: '-', text: 'return connection.unsent.empty();' }], [{ sign: '+', text: 'std::vector<pollfd> watched;' }]).size, 0);
});

test('lines that have only moved are known, within a file and into another, and short ones are not', () => {
  const moving = ['void close_all(Connections& connections) {', '    connections.clear();', '}'];
  const first = compareTexts([...moving, 'int main() {', '}'], ['int main() {', '}']);
  const second = compareTexts(['// nothing yet'], ['// nothing yet', ...moving.map((line) => `  ${line}`)]);
  const moved = findMoves([first, second]);
  assert.equal([...moved].filter(({ sign }) => sign === '-').length, 3);
  assert.equal([...moved].filter(({ sign }) => sign === '+').length, 3);
  assert.equal(findMoves([compareTexts(['}', 'a'], ['a', '}'])]).size, 0);
});

test('the rows of a diff have their numbers, and long unchanged stretches are folded', () => {
  const old = Array.from({ length: 40 }, (_, index) => `line ${index}`);
  const fresh = old.with ? old.with(20, 'another') : [...old.slice(0, 20), 'another', ...old.slice(21)];
  const rows = compareTexts(old, fresh);
  const html = renderRows(rows, { old: plain(old), new: plain(fresh) }, { folds: true });
  assert.match(html, /<div class="d" data-o=21>-line 20\n<\/div><div class="a" data-n=21>\+another\n<\/div>/);
  assert.match(html, /<summary>16 lines as they were<\/summary>/);
  // What is folded stands there once, what is near a change on both sides.
  assert.equal(html.split(' line 2\n').length - 1, 1);
  assert.equal(html.split(' line 19\n').length - 1, 2);
  assert.doesNotMatch(renderRows(rows, { old: plain(old), new: plain(fresh) }), /summary/);
});

test('two chapters are compared file by file; a build file with another name alone is left out', () => {
  const old = { name: '01-a', files: { 'server.cpp': plain(['one', 'two']), 'CMakeLists.txt': plain(['add(01-a)']), 'gone.hpp': plain(['x']) } };
  const fresh = { name: '02-b', files: { 'server.cpp': plain(['one', 'three']), 'CMakeLists.txt': plain(['add(02-b)']), 'new.hpp': plain(['y']) } };
  const difference = compareChapters(old, fresh);
  assert.deepEqual(difference.files.map(({ file, fate, added, removed }) => [file, fate, added, removed]), [['server.cpp', 'changed', 1, 1], ['gone.hpp', 'gone', 0, 1], ['new.hpp', 'new', 1, 0]]);
  const html = renderComparison(old, fresh, difference, { linkTo: (file, side) => `${side}/${file}` });
  assert.match(html, /\+2<\/span> <span class=minus>−2<\/span> lines/);
  assert.match(html, /href="#file-server.cpp"/);
});

const source = `flowchart LR
    s["the server"] -->|"asks"| k(["the kernel<br/>of Linux"])
    s -- no --> x["end"]
`;

test('the labels of a picture are read from its source, in each of the kinds that the texts have', () => {
  assert.deepEqual(labelsOf(source), ['the server', 'the kernel<br/>of Linux', 'asks', 'end', 'no']
    .sort((a, b) => labelsOf(source).indexOf(a) - labelsOf(source).indexOf(b)));
  assert.deepEqual(labelsOf('sequenceDiagram\nparticipant A as app\nA->>B: read: 5 bytes\nNote over A,B: asleep\n'), ['app', 'read: 5 bytes', 'asleep']);
  assert.deepEqual(labelsOf('stateDiagram-v2\n[*] --> line: await_suspend\nline: in line\n'), ['await_suspend', 'in line']);
});

test('a label that is not in the picture fails the build, and so does a picture that is not drawn', () => {
  const whole = '<svg width="10"><text>the server</text><text>asks</text><text><tspan>the kernel</tspan><tspan>of Linux</tspan></text><text>no</text><text>end</text></svg>';
  assert.deepEqual(findMissing(source, whole), []);
  assert.deepEqual(findMissing(source, whole.replace('asks', '')), ['asks']);
  const pictures = (svg) => new Pictures({ isFile: (path) => path === pathOfPicture(source) && svg !== undefined, readText: () => svg });
  assert.match(pictures(whole).render(source, { path: 'docs/x.md' }), /role="img" aria-label="the server/);
  assert.throws(() => pictures(whole.replace('no<', '<')).render(source, { path: 'docs/x.md' }), /docs\/x.md: the picture .* lacks "no"/);
  assert.throws(() => pictures(undefined).render(source, { path: 'docs/x.md' }), /is not drawn yet .*tools\/book\/draw/);
});
