// Where a text says the number of a chapter: each form, and what only looks like one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLooseNumbers, findMentions, findWrongLinks, renumber } from '../lib/chapter-mentions.mjs';

const names = ['01-one', '02-two', '03-fork', '09-select', '10-poll', '12-epoll', '13-epoll-edge'];
const marked = (text, options) => {
  let result = text;
  for (const { start, end } of findMentions(text, names, options).reverse()) result = `${result.slice(0, start)}<${result.slice(start, end)}>${result.slice(end)}`;
  return result;
};
const same = (...pairs) => pairs.forEach(([text, expected]) => assert.equal(marked(text), expected));

test('a chapter is found by its full name, in paths and commands, and not in longer names', () => {
  same(['chapters/03-fork/server.cpp and build/bin/03-fork-tests', 'chapters/<03>-fork/server.cpp and build/bin/<03>-fork-tests'],
    ['12-epoll, 13-epoll-edge', '<12>-epoll, <13>-epoll-edge'],
    ['03-forks 103-fork 2024-03-fork 04-nobody', '03-forks 103-fork 2024-03-fork 04-nobody']);
});

test('the word chapter, in lists and over the end of a line', () => {
  same(['chapter 03 has; Chapter\n09, too', 'chapter <03> has; Chapter\n<09>, too'],
    ["chapters 03, 09 and 10, and chapter 12's", "chapters <03>, <09> and <10>, and chapter <12>'s"],
    ['chapters 09 to 12', 'chapters <09> to <12>'],
    ['chapters 03 and [09](09-select.md)', 'chapters <03> and [<09>](<09>-select.md)'],
    ['// chapter\n    // 03 here', '// chapter\n    // <03> here']);
});

test('one chapter takes no list, and the chapters of a book are no chapters of ours', () => {
  same(['in chapter 03, 10 clients', 'in chapter <03>, 10 clients'], ['UNP chapter 30', 'UNP chapter 30'], ['Chapter 12 of [UNP](x.md)', 'Chapter 12 of [UNP](x.md)']);
});

test('links, labels, titles and possessives', () => {
  same(['[03](docs/03-fork.md), [03 Fork](03-fork.md#why)', '[<03>](docs/<03>-fork.md), [<03> Fork](<03>-fork.md#why)'],
    ['| 12 epoll | 0.93 | 12 pairs', '| <12> epoll | 0.93 | 12 pairs'],
    ["of 12's", "of <12>'s"], ['# 03 Fork\n', '# <03> Fork\n'], ['03 alone', '<03> alone']);
});

test('commands, with as many numbers as they take', () => {
  same(['./learn trace 9 --plain', './learn trace <9> --plain'], ['`./learn watch 10 --clients 12`', '`./learn watch <10> --clients 12`'],
    ['./learn diff 3 10', './learn diff <3> <10>'], ['./learn trace --session reset 10', './learn trace --session reset <10>'],
    ['`./learn ask explain 3`', '`./learn ask explain <3>`'], ['`diff 1 3`', '`diff <1> <3>`'], ['tools/carry 2', 'tools/carry <2>'], ['for n in 9 10; do ./learn trace $n; done', 'for n in <9> <10>; do ./learn trace $n; done'],
    ['./learn test 3 12 clients', './learn test <3> 12 clients']);
});

test('other numbers are left alone', () => {
  for (const text of ['10 bytes and 12 clients', 'C++20, g++ 12, 0.03 s, 12:03, $03, 2026-03-09', 'a 03x x03', '`0x03` and `03`']) assert.equal(marked(text), text);
});

test('code has full names and the word chapter alone', () => {
  assert.equal(marked("// Chapter 03: as 03-fork; 12's; ./learn test 3", { isMarkdown: false }), "// Chapter <03>: as <03>-fork; 12's; ./learn test 3");
});

test('new numbers keep two digits in prose, and one in commands', () => {
  const shift = (number) => String(Number(number) + 1).padStart(2, '0');
  assert.equal(renumber('chapter 09, `./learn trace 9`, ./learn run 3, 03-fork', names, shift), 'chapter 10, `./learn trace 10`, ./learn run 4, 04-fork');
  const back = (number) => String(Number(number) - 1).padStart(2, '0');
  assert.equal(renumber('chapter 10, `./learn trace 10`, ./learn run 03', names, back), 'chapter 09, `./learn trace 9`, ./learn run 02');
  assert.equal(renumber('chapter 10, one echo: 3\n', names, back), 'chapter 10, one echo: 3\n'.replace('10', '9'));
});

test('a link that says another number than its target has', () => {
  assert.deepEqual(findWrongLinks('[03](09-select.md) [09 Select](09-select.md) [10 bytes](https://x.org/)').map(({ number, target }) => [number, target]), [['03', '09-select.md']]);
});

test('numbers that look like chapters and are in no form', () => {
  const loose = (text) => findLooseNumbers(text, names).map(({ number }) => number);
  assert.deepEqual(loose('From 12 on; as 10, as in 13. | 12 | is | from 11 on; 10 bytes; as 10 bytes'), ['12', '10', '13', '12']);
  assert.deepEqual(loose('```mermaid\na["03 or 12"]\nb["chapter 10"]\nc["12 bytes"]\nsubgraph d["13: a line"]\n```\n'), ['03', '12', '13']);
  assert.deepEqual(loose('```\nfrom 12 on\n```\n`as 12,`'), []);
});
