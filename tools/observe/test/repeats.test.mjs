import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collapseRepeats } from '../repeats.mjs';

const collapse = (keys) => collapseRepeats([...keys], (key) => (key === '-' ? null : key)).map(({ entries, turns }) => `${entries.join('')}${turns > 1 ? turns : ''}`);

test('three turns or more are a run', () => {
  assert.deepEqual(collapse('aabaaab'), ['a', 'a', 'b', 'a3', 'b']);
});

test('a cycle of several calls is found', () => {
  assert.deepEqual(collapse('xabababy'), ['x', 'ab3', 'y']);
});

test('a turn that was broken off belongs to the run', () => {
  const [run] = collapseRepeats([...'ababababa'], (key) => key);
  assert.deepEqual([run.entries.join(''), run.turns, run.last], ['ab', 4, 'a']);
});

test('the shortest cycle is the one', () => {
  assert.deepEqual(collapse('aaaaaaaa'), ['a8']);
});

test('entries without a key never repeat', () => {
  assert.deepEqual(collapse('----'), ['-', '-', '-', '-']);
});

test('nothing stays nothing', () => {
  assert.deepEqual(collapse(''), []);
});
