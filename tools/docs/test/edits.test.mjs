import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareTexts, renderHunks, selectWithContext } from '../lib/edits.mjs';

function show(oldLines, newLines) {
  return compareTexts(oldLines, newLines).map((row) => row.sign + row.text);
}

test('removed lines come before added ones', () => {
  assert.deepEqual(show(['a', 'b', 'c'], ['a', 'B', 'c']), [' a', '-b', '+B', ' c']);
});

test('a new function is added from its first line to its brace', () => {
  const oldLines = ['int a() {', '}', '', 'int c() {', '}'];
  const newLines = ['int a() {', '}', '', 'int b() {', '}', '', 'int c() {', '}'];
  assert.deepEqual(show(oldLines, newLines), [' int a() {', ' }', ' ', '+int b() {', '+}', '+', ' int c() {', ' }']);
});

test('a removed function is removed from its first line to its brace', () => {
  const newLines = ['int a() {', '}', '', 'int c() {', '}'];
  const oldLines = ['int a() {', '}', '', 'int b() {', '}', '', 'int c() {', '}'];
  assert.deepEqual(show(oldLines, newLines), [' int a() {', ' }', ' ', '-int b() {', '-}', '-', ' int c() {', ' }']);
});

test('a new template does not borrow the first line of the next one', () => {
  const oldLines = ['template <class T>', 'void c() {', '}'];
  const newLines = ['template <class T>', 'void b() {', '}', '', ...oldLines];
  assert.deepEqual(show(oldLines, newLines).slice(0, 4), ['+template <class T>', '+void b() {', '+}', '+']);
  assert.deepEqual(show(newLines, oldLines).slice(0, 4), ['-template <class T>', '-void b() {', '-}', '-']);
});

test('an added if begins with its if, not with the brace before it', () => {
  const oldLines = ['  if (a) {', '    x();', '  }', '  y();'];
  const newLines = ['  if (a) {', '    x();', '  }', '  if (b) {', '    x();', '  }', '  y();'];
  assert.deepEqual(show(oldLines, newLines).slice(3, 6), ['+  if (b) {', '+    x();', '+  }']);
});

test('every edit script makes the new text of the old one', () => {
  // A small generator of its own, so that a failure can be repeated.
  let state = 1;
  const random = (limit) => (state = (state * 48271) % 2147483647) % limit;
  for (let round = 0; round < 300; round++) {
    const makeText = () => Array.from({ length: random(14) }, () => ['', '}', 'a', '  b'][random(4)]);
    const [oldLines, newLines] = [makeText(), makeText()];
    const rows = compareTexts(oldLines, newLines);
    assert.deepEqual(rows.filter((row) => row.sign !== '+').map((row) => row.text), oldLines);
    assert.deepEqual(rows.filter((row) => row.sign !== '-').map((row) => row.text), newLines);
    rows.forEach((row, index) => assert.ok(!(row.sign === '-' && rows[index - 1]?.sign === '+'), 'removals come first'));
  }
});

test('a hunk has three lines around a change and its numbers', () => {
  const oldLines = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
  const newLines = ['1', '2', '3', '4', 'five', '6', '7', '8', '9'];
  const rows = compareTexts(oldLines, newLines);
  const selected = selectWithContext(rows, 0, rows.length - 1, { clip: false });
  assert.deepEqual(renderHunks(rows, selected, () => 'name'), ['@@ -2,7 +2,7 @@ name', ' 2', ' 3', ' 4', '-5', '+five', ' 6', ' 7', ' 8']);
});

test('context stays in a clipped range and never reaches over another change', () => {
  const rows = compareTexts(['a', 'b', 'c', 'd', 'e'], ['A', 'b', 'c', 'D', 'e']);
  const place = rows.findIndex((row) => row.text === 'd');
  const texts = (selected) => [...selected].sort((a, b) => a - b).map((index) => rows[index].text);
  assert.deepEqual(texts(selectWithContext(rows, place, place, { clip: true })), ['d']);
  assert.deepEqual(texts(selectWithContext(rows, place, place, { clip: false })), ['b', 'c', 'd']);
});

test('a side without lines begins at the line before', () => {
  const rows = compareTexts(['a', 'b'], ['a', 'x', 'b']);
  assert.deepEqual(renderHunks(rows, new Set([1]), () => ''), ['@@ -1,0 +2,1 @@', '+x']);
});

test('two hunks with one unchanged line between them are one', () => {
  const rows = compareTexts(['a', 'b', 'c'], ['A', 'b', 'C']);
  const changed = new Set(rows.flatMap((row, index) => (row.sign === ' ' ? [] : [index])));
  assert.equal(renderHunks(rows, changed, () => '').filter((line) => line.startsWith('@@')).length, 1);
});
