// The parts of practice: patches, comments, lines, places, guesses, and the stock itself.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listChapters } from '../../chapters.mjs';
import { findComments, findItems } from '../../docs/lib/cpp-ranges.mjs';
import { takeCommentsOut } from '../practice/comments.mjs';
import { makeFiles } from '../practice/copy.mjs';
import { readSources } from '../practice/files.mjs';
import { describeGuess, judge, readPlace } from '../practice/guess.mjs';
import { findOrigins, matchLines } from '../practice/lines.mjs';
import { applyHunks, hashOfPatch, parsePatch, printReversed } from '../practice/patch.mjs';
import { describePlaces, findPlaces } from '../practice/places.mjs';
import { findTask, listTasks, slugOf } from '../practice/stock.mjs';

const root = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');
const source = `// Chapter 03: made up.

#include <array>  // stays

struct Client {
    int fd;  ///< stays, too
};

/// Goes with its function.
int serve(int number) {
    // Counts: "one" is not enough.
    while (number > 0) {
        number -= 1;  // one
    }

    // Parted.

    return number; /* and */
}

/// Of another function.
const char* name() {
    return "// no comment";
}
`;
const patchText = `Symptom: it counts once
Hint: How often?
Found by: it counts

--- a/chapters/03-fork/server.cpp
+++ b/chapters/03-fork/server.cpp
@@ -10,7 +10,7 @@
 int serve(int number) {
     // Counts: "one" is not enough.
-    while (number > 0) {
+    if (number > 0) {
         number -= 1;  // one
     }

     // Parted.
`;
const patch = parsePatch(patchText, '1.patch');
const task = { kind: 'bug', id: '1', chapter: '03-fork', file: '1.patch', patch };
const original = new Map([['server.cpp', source]]);
const makeFakeCopy = (now) => ({
  task,
  original,
  given: makeFiles(task, original).files,
  now: new Map([['server.cpp', now ?? makeFiles(task, original).files.get('server.cpp')]]),
  sourceNames: ['server.cpp'],
  folder: `${root}/practice/03-fork-1`,
  root,
  pathOf: (name = '') => `practice/03-fork-1/${name}`,
});

test('a patch has its headers, and is put on where it fits, also some lines off', () => {
  assert.equal(patch.headers.get('Found by'), 'it counts');
  assert.match(applyHunks(source, patch.files[0].hunks).text, /\n    if \(number > 0\) \{\n/);
  const moved = applyHunks(`// One line\n// and another.\n${source}`, patch.files[0].hunks);
  assert.deepEqual(moved.changes, [{ from: 14, to: 14, came: ['    if (number > 0) {'], went: ['    while (number > 0) {'] }]);
  assert.equal(applyHunks(source.replace('while', 'until'), patch.files[0].hunks), null);
});

test('a bug is known by what it changes: neither by where, nor by its words', () => {
  const same = patchText.replace('-10,7 +10,7', '-12,7 +12,7').replace('How often?', 'How many times?').replaceAll('03-fork', '05-fork');
  assert.equal(hashOfPatch(parsePatch(same, '')), hashOfPatch(patch));
  assert.notEqual(hashOfPatch(parsePatch(patchText.replace('+    if', '+    switch'), '')), hashOfPatch(patch));
});

test('backwards a patch takes away what it brought, and what goes stands first', () => {
  assert.match(printReversed(patch), /^server\.cpp\n int serve[^\n]*\n[^\n]*\n-    if \(number > 0\) \{\n\+    while \(number > 0\) \{\n/);
});

test('every function loses its comments, so that none stands out; strings and types keep theirs', () => {
  const { text, lines } = takeCommentsOut(source);
  assert.equal(text, `// Chapter 03: made up.

#include <array>  // stays

struct Client {
    int fd;  ///< stays, too
};

int serve(int number) {
    while (number > 0) {
        number -= 1;
    }

    return number;
}

const char* name() {
    return "// no comment";
}
`);
  assert.equal(lines[8], 10);
  assert.equal(text.split('\n').length, lines.length);
});

test('near a bug also the comment at a member goes', () => {
  assert.match(takeCommentsOut(source, new Set([6])).text, /\n    int fd;\n/);
});

test('lines are found again between two versions', () => {
  assert.deepEqual(matchLines(['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'y', 'd']), [0, -1, 2, -1, 3]);
  assert.deepEqual(findOrigins(['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'y', 'd'], 1), [1], 'what went in its place');
  assert.deepEqual(findOrigins(['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'y', 'd'], 3), [2, 3], 'its neighbours');
  assert.deepEqual(matchLines([], ['a']), [-1]);
});

test('a guess is the place, the function, or elsewhere', () => {
  const copy = makeFakeCopy();
  const places = findPlaces(copy);
  assert.equal(describePlaces(places), 'in server.cpp, in serve()');
  const lineOf = (text, lines = copy.now.get('server.cpp').split('\n')) => lines.findIndex((line) => line.includes(text)) + 1;
  const judgeLine = (text) => judge(copy, places, { name: 'server.cpp', line: lineOf(text) });
  assert.equal(judgeLine('if (number'), 'place');
  assert.equal(judgeLine('return number'), 'function');
  assert.equal(judgeLine('no comment'), 'elsewhere');
});

test('also when the learner has changed lines before it', () => {
  const now = makeFakeCopy().now.get('server.cpp').replace('struct', '#include <vector>\n\nstruct').replace('    if (number > 0) {', '    for (;;) {\n    if (number > 1) {');
  const copy = makeFakeCopy(now);
  const line = now.split('\n').findIndex((text) => text.includes('number > 1')) + 1;
  assert.equal(judge(copy, findPlaces(copy), { name: 'server.cpp', line }), 'place');
});

test('where something was taken out, the lines on either side are the place', () => {
  const gone = parsePatch(patchText.replace('-    while (number > 0) {\n+    if (number > 0) {', '     while (number > 0) {').replace('         number', '-        number'), '');
  const copy = { ...makeFakeCopy(), task: { ...task, patch: gone } };
  const [{ lines }] = findPlaces(copy);
  const given = makeFiles(copy.task, original).files.get('server.cpp').split('\n');
  assert.deepEqual([...lines].map((line) => given[line - 1].trim()), ['while (number > 0) {', '}']);
});

test('a place is read as a compiler, an editor or a shell writes it', () => {
  const copy = makeFakeCopy();
  for (const word of ['server.cpp:4', 'server.cpp:4:17', './server.cpp:4', 'practice/03-fork-1/server.cpp:4', `${root}/practice/03-fork-1/server.cpp:4`]) {
    assert.deepEqual(readPlace(copy, word, root), { name: 'server.cpp', line: 4 });
  }
  assert.throws(() => readPlace(copy, '4', root), /a guess names a file and a line, as FILE:LINE, and not '4'/);
  const two = { ...copy, sourceNames: ['server.cpp', 'runtime/reactor.hpp'], now: new Map([['runtime/reactor.hpp', 'a\nb\n']]) };
  assert.deepEqual(readPlace({ ...two, folder: copy.folder, root, pathOf: String }, 'reactor.hpp:2', root), { name: 'runtime/reactor.hpp', line: 2 });
  assert.throws(() => readPlace(copy, 'server.cpp:0', root), /has lines 1 to 19, and no line 0/);
  assert.throws(() => readPlace(copy, 'server.cpp:400', root), /has lines 1 to 19, and no line 400/);
  assert.throws(() => readPlace(copy, 'sever.cpp:4', root), /there is no sever\.cpp in .*; did you mean server\.cpp\?/);
  assert.throws(() => readPlace(copy, 'chapters/03-fork/server.cpp:4', root), /is the chapter itself, which has no bug/);
});

test('of a guess no more is said than how near it is, and after how many hints', () => {
  assert.equal(describeGuess('function', 0), 'the right function, before any hint');
  assert.equal(describeGuess('place', 1), 'the right place, after 1 hint');
});

test('an exercise is typed by its title', () => {
  assert.equal(slugOf('Say goodbye.'), 'say-goodbye');
  assert.throws(() => findTask(root, '03-fork', '99'), /03-fork has no bug '99' \(its bugs are 1 to \d/);
});

// What a compiler sees of a text: without comments, and with any space as one.
function readCode(text) {
  let code = text;
  for (const { start, end } of findComments(text).reverse()) code = `${code.slice(0, start)} ${code.slice(end)}`;
  return code.replace(/\s+/g, ' ').trim();
}

for (const chapter of listChapters(root)) {
  test(`the copies of ${chapter} have the patch's code, no comment in a function, and a place for a guess`, () => {
    const chapterFiles = readSources(`${root}/chapters/${chapter}`);
    for (const bug of listTasks(root, chapter).filter(({ kind }) => kind === 'bug')) {
      const { files, applied } = makeFiles(bug, chapterFiles);
      for (const [name, text] of files) {
        if (name === 'CMakeLists.txt') continue;
        assert.equal(readCode(text), readCode(applied.get(name)?.text ?? chapterFiles.get(name)), `${bug.file}, ${name}`);
        assert.equal(takeCommentsOut(text).text, text, `${bug.file}: a comment is left in ${name}`);
        assert.doesNotMatch(text, /\n\s*\n\s*\n/, `${bug.file}: two empty lines in ${name}`);
      }
      const places = findPlaces({ task: bug, original: chapterFiles });
      assert.ok(places.length > 0 && places.every(({ lines }) => lines.size > 0), `${bug.file} has no place`);
      assert.ok(places.some(({ functions }) => functions.length > 0), `${bug.file} is in no function`);
    }
    assert.ok(findItems(chapterFiles.get('server.cpp')).length > 0);
  });
}

test('the help and the messages show no place as an example: in some copy it is the right one', () => {
  for (const file of ['tools/learn/practice.sh', 'tools/loop/practice.mjs', 'tools/loop/practice/begin.mjs', 'tools/loop/practice/guess.mjs']) {
    const text = readFileSync(join(root, file), 'utf8');
    assert.doesNotMatch(text, /:\d+ "|names\[0\]\}:\d|sourceNames\[0\]\}:\d/i, file);
    for (const [, words] of text.matchAll(/practice guess \S+ "([^"]+)"/g)) assert.equal(words, 'what is wrong there', file);
  }
});
