// The blocks made from code: what sync writes, what check finds.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { chapterText, codeMarkers, diffMarkers, makeProject, makeSyncedProject, newServer, oldServer, Tree } from './fixture.mjs';

let trees = [];

function keep(tree) {
  trees.push(tree);
  return tree;
}

afterEach(() => {
  trees.forEach((tree) => tree.remove());
  trees = [];
});

function fenceAfter(tree, path, marker) {
  const text = tree.read(path);
  const start = text.indexOf(marker);
  assert.ok(start >= 0, `${path} has no ${marker}`);
  return /\n(```+)[^\n]*\n[\s\S]*?\n\1(?=\n|$)/.exec(text.slice(start))[0].slice(1);
}

// A second chapter whose text has these markers, synced.
function syncChapter(code, files = {}) {
  const tree = keep(makeProject());
  for (const [path, text] of Object.entries(files)) tree.write(path, text);
  tree.write('docs/02-robust.md', chapterText('Robust', code));
  return { tree, result: tree.run('sync') };
}

function assertFinding(result, pattern) {
  assert.ok(result.findings.some((line) => pattern.test(line)), `no finding like ${pattern} in\n${result.stdout}${result.stderr}`);
  assert.equal(result.status, 1);
}

function assertClean(result) {
  assert.deepEqual(result.findings, []);
  assert.equal(result.status, 0);
}

test('a synced project is clean, and a second sync changes nothing', () => {
  const tree = keep(makeSyncedProject());
  const result = tree.run('check');
  assertClean(result);
  assert.equal(result.summary, 'docs: 2 chapters, 3 diff blocks, 2 code blocks, 0 recorded sessions: all good');
  const before = tree.read('docs/02-robust.md');
  assert.equal(tree.run('sync').summary, 'docs: 0 fences written in 0 files');
  assert.equal(tree.read('docs/02-robust.md'), before);
});

test('a short function is shown whole, two that meet are one hunk', () => {
  const tree = keep(makeSyncedProject());
  assert.equal(
    fenceAfter(tree, 'docs/02-robust.md', 'fn:echo fn:reap'),
    `\`\`\`diff
@@ -5,10 +6,16 @@ void echo(int fd)
 // Sends back what comes.
 void echo(int fd) {
   char buffer[512];
   while (true) {
     auto got = read(fd, buffer, sizeof buffer);
+    if (got < 0 && errno == EINTR) continue;
     if (got <= 0) return;
     write(fd, buffer, got);
   }
 }

+// Collects ended children.
+void reap(int) {
+  while (waitpid(-1, nullptr, WNOHANG) > 0) {
+  }
+}
\`\`\``,
  );
});

test('a long function is shown as hunks inside of it', () => {
  const body = (lines) => `int before;\nvoid f() {\n${lines.map((line) => `  ${line};\n`).join('')}}\nint after;\n`;
  const numbers = Array.from({ length: 40 }, (_, index) => `line${index}`);
  const changed = Object.assign([...numbers], { 0: 'first', 20: 'middle' });
  const { tree } = syncChapter('<!-- diff big.cpp fn:f -->\n<!-- diff server.cpp rest -->\n<!-- diff CMakeLists.txt rest -->\n', {
    'chapters/01-iterative/big.cpp': body(numbers),
    'chapters/02-robust/big.cpp': body(changed),
  });
  assert.equal(
    fenceAfter(tree, 'docs/02-robust.md', 'big.cpp fn:f'),
    `\`\`\`diff
@@ -2,5 +2,5 @@ void f()
 void f() {
-  line0;
+  first;
   line1;
   line2;
   line3;
@@ -20,7 +20,7 @@ void f()
   line17;
   line18;
   line19;
-  line20;
+  middle;
   line21;
   line22;
   line23;
\`\`\``,
  );
});

test('a type, an old function, an old type and texts choose their rows', () => {
  const { tree, result } = syncChapter(
    `<!-- diff state.hpp type:State -->
<!-- diff state.hpp old-type:Gone -->
<!-- diff state.hpp old-fn:gone -->
<!-- diff state.hpp -"int limit = 1" .. +"int limit = 2" -->
<!-- diff server.cpp rest -->
<!-- diff CMakeLists.txt rest -->
`,
    {
      'chapters/01-iterative/state.hpp': 'struct State {\n  int a;\n};\n\nstruct Gone {\n};\n\nint limit = 1;\n\nvoid gone() {\n}\n\nint same;\n',
      'chapters/02-robust/state.hpp': 'struct State {\n  int b;\n};\n\nint limit = 2;\n\nint same;\n',
    },
  );
  assert.equal(result.status, 0, result.stdout);
  assert.match(fenceAfter(tree, 'docs/02-robust.md', 'type:State'), /@@ struct State\n struct State \{\n-  int a;\n\+  int b;\n \};/);
  assert.match(fenceAfter(tree, 'docs/02-robust.md', 'old-type:Gone'), /@@ struct Gone\n(-\n)?-struct Gone \{\n-\};/);
  assert.match(fenceAfter(tree, 'docs/02-robust.md', 'old-fn:gone'), /-void gone\(\) \{\n-\}/);
  assert.match(fenceAfter(tree, 'docs/02-robust.md', '-"int limit = 1"'), /\+int limit = 2;\n\n-int limit = 1;/);
  assertClean(tree.run('check'));
});

test('the old line of a changed signature comes with the new function', () => {
  const { tree } = syncChapter('<!-- diff a.cpp fn:f -->\n<!-- diff server.cpp rest -->\n<!-- diff CMakeLists.txt rest -->\n', {
    'chapters/01-iterative/a.cpp': 'int x;\nvoid f() {\n  a();\n}\n',
    'chapters/02-robust/a.cpp': 'int x;\nvoid f(int n) {\n  a();\n}\n',
  });
  assert.match(fenceAfter(tree, 'docs/02-robust.md', 'a.cpp fn:f'), /\n-void f\(\) \{\n\+void f\(int n\) \{/);
  assertClean(tree.run('check'));
});

test('rest shows what the others leave, and nothing else', () => {
  const { tree } = syncChapter('<!-- diff server.cpp rest -->\n<!-- diff server.cpp fn:echo -->\n<!-- diff CMakeLists.txt rest -->\n');
  const rest = fenceAfter(tree, 'docs/02-robust.md', 'server.cpp rest');
  assert.match(rest, /\+void reap\(int\) \{/);
  assert.doesNotMatch(rest, /EINTR/);
  assertClean(tree.run('check'));
});

test('a rest with nothing left is a finding', () => {
  const tree = keep(makeSyncedProject());
  tree.edit('docs/02-robust.md', '<!-- diff-skip', '<!-- diff server.cpp rest -->\n<!-- diff-skip');
  assertFinding(tree.run('check'), /the other blocks show every change of server\.cpp; take this marker out/);
});

test('a new file is shown as C++, a removed one by rest', () => {
  const { tree } = syncChapter(`${diffMarkers}<!-- file task.hpp -->\n<!-- diff gone.hpp rest -->\n`, {
    'chapters/02-robust/task.hpp': 'struct Task {};\n',
    'chapters/01-iterative/gone.hpp': 'struct Gone {};\n',
  });
  assert.equal(fenceAfter(tree, 'docs/02-robust.md', '<!-- file task.hpp -->'), '```cpp\nstruct Task {};\n```');
  assert.equal(fenceAfter(tree, 'docs/02-robust.md', '<!-- diff gone.hpp'), '```diff\n@@ -1,1 +0,0 @@ struct Gone {};\n-struct Gone {};\n```');
  assertClean(tree.run('check'));
});

// A third chapter, whose diff from the first one is not that from the second.
function syncThirdChapter(markers) {
  const tree = keep(makeSyncedProject());
  tree.write('chapters/03-fork/server.cpp', newServer.replace('of chapter 02', 'of chapter 03').replace('char buffer[512];', 'char buffer[1024];'));
  tree.write('chapters/03-fork/CMakeLists.txt', tree.read('chapters/02-robust/CMakeLists.txt'));
  tree.write('tests/chapters/03-fork.cpp', '');
  tree.write('docs/03-fork.md', chapterText('Fork', markers, { number: 3 }));
  return { tree, result: tree.run('sync') };
}

const neighbourMarkers = '<!-- diff server.cpp rest -->\n\n';

test('a diff may be taken from an earlier chapter that is not the neighbour', () => {
  const { tree, result } = syncThirdChapter(`${neighbourMarkers}<!-- diff server.cpp from 01-iterative fn:echo -->\n`);
  assertClean(result);
  assertClean(tree.run('check'));
  const fence = fenceAfter(tree, 'docs/03-fork.md', 'from 01-iterative');
  assert.match(fence, /^-  char buffer\[512\];\n\+  char buffer\[1024\];$/m);
  assert.match(fence, /^\+    if \(got < 0 && errno == EINTR\) continue;$/m);
  assert.doesNotMatch(fenceAfter(tree, 'docs/03-fork.md', neighbourMarkers.trim()), /^\+.*EINTR/m);

  tree.edit('chapters/01-iterative/server.cpp', 'char buffer[512];', 'char buffer[256];');
  assertFinding(tree.run('check', '3'), /docs\/03-fork\.md:\d+: the fence under this marker is stale: its line \d+ is "-  char buffer\[512\];"/);
});

test('a diff from another chapter does not count as shown, and takes nothing from the rest', () => {
  const fromFirst = '<!-- diff server.cpp from 01-iterative fn:echo -->\n';
  assertFinding(syncThirdChapter(`<!-- diff server.cpp +"of chapter 03" -->\n\n${fromFirst}`).tree.run('check'), /no block shows server\.cpp, .*"-  char buffer\[512\];".*; add <!-- diff server\.cpp fn:echo -->/);
  const { tree } = syncThirdChapter(`${fromFirst}\n${neighbourMarkers}`);
  assertClean(tree.run('check'));
  assert.match(fenceAfter(tree, 'docs/03-fork.md', neighbourMarkers.trim()), /^\+  char buffer\[1024\];$/m);
});

test('a diff from a chapter that is no earlier one is a finding', () => {
  const cases = [
    ['from 09-nothing fn:echo', /there is no chapter 09-nothing to compare with; write its folder's name, such as 02-robust/],
    ['from 02-robust fn:echo', /02-robust is the chapter with which it is compared anyway; leave "from 02-robust" out/],
    ['from 03-fork fn:echo', /03-fork does not come before 03-fork; name an earlier chapter/],
    ['from 01-iterative rest', /"rest" is what the diff since 02-robust leaves; a diff from 01-iterative needs anchors/],
    ['from 01-iterative fn:main', /nothing changes in fn:main of server\.cpp/],
    ['from 01-iterative', /say what of server\.cpp to show/],
    ['from "01-iterative" fn:echo', /this marker needs a chapter after "from" first/],
  ];
  const { result } = syncThirdChapter(neighbourMarkers + cases.map(([words]) => `<!-- diff server.cpp ${words} -->\n\n`).join(''));
  for (const [, pattern] of cases) assertFinding(result, pattern);
  assert.equal(result.findings.length, cases.length);
});

test('behind a side road the diff is taken from where the road was left', () => {
  const tree = syncThirdChapter('<!-- diff server.cpp rest -->\n').tree;
  tree.edit('chapters/02-robust/CMakeLists.txt', 'add_chapter(02)', 'add_chapter(02 SIDE_ROAD ENDS echo)');
  tree.write('chapters/03-fork/CMakeLists.txt', tree.read('chapters/01-iterative/CMakeLists.txt'));
  assertFinding(tree.run('check'), /docs\/03-fork\.md:\d+: the fence under this marker is stale/);
  assertClean(tree.run('sync'));
  assert.match(fenceAfter(tree, 'docs/03-fork.md', 'diff server.cpp rest'), /^\+    if \(got < 0 && errno == EINTR\) continue;$/m);
  assertClean(tree.run('check'));

  tree.edit('docs/03-fork.md', '<!-- diff server.cpp rest -->', '<!-- diff server.cpp from 02-robust fn:echo -->\n\n<!-- diff server.cpp rest -->');
  assertClean(tree.run('sync'));
  assert.doesNotMatch(fenceAfter(tree, 'docs/03-fork.md', 'from 02-robust'), /^\+.*EINTR/m);
  tree.edit('docs/03-fork.md', 'from 02-robust', 'from 01-iterative');
  assertFinding(tree.run('check'), /01-iterative is the chapter with which it is compared anyway/);
});

test('a new file may be shown in parts, as code', () => {
  const { tree } = syncChapter(`${diffMarkers}<!-- code task.hpp type:Task -->\n`, { 'chapters/02-robust/task.hpp': 'struct Task {};\n\nvoid run() {}\n' });
  assertFinding(tree.run('check'), /no block shows task\.hpp, line 3: "\+void run\(\) \{\}"; add <!-- file task\.hpp -->/);
  tree.edit('docs/02-robust.md', '<!-- code task.hpp type:Task -->', '<!-- code task.hpp type:Task fn:run -->');
  tree.run('sync');
  assertClean(tree.run('check'));
});

test('a new function of a file that is not new may be shown as code, once', () => {
  const tree = keep(makeSyncedProject());
  tree.edit('docs/02-robust.md', 'fn:echo fn:reap -->', 'fn:echo -->\n\n<!-- file server.cpp fn:reap -->');
  assert.equal(tree.run('sync').status, 0);
  assertClean(tree.run('check'));
  assert.match(fenceAfter(tree, 'docs/02-robust.md', 'fn:reap'), /^```cpp\n\/\/ Collects ended children\.\nvoid reap\(int\) \{\n/);
  tree.edit('chapters/02-robust/server.cpp', 'void reap(int) {', 'void reap(int signal) {');
  assertFinding(tree.run('check'), /stale: its line 2 is "void reap\(int\) \{"/);

  tree.edit('docs/02-robust.md', '<!-- file server.cpp fn:reap', '<!-- code server.cpp fn:reap');
  tree.run('sync');
  assertFinding(tree.run('check'), /no block shows server\.cpp, .*Collects ended children/);
});

test('file for a file that is not new, or not there, is a finding', () => {
  const { result } = syncChapter(`${diffMarkers}<!-- file server.cpp -->\n<!-- file nothing.hpp -->\n`);
  assertFinding(result, /server\.cpp is in 01-iterative already; show what changes in it with a diff marker/);
  assertFinding(result, /there is no file chapters\/02-robust\/nothing\.hpp; correct the path/);
});

test('a stale fence is a finding that names its first stale line', () => {
  const tree = keep(makeSyncedProject());
  tree.edit('docs/02-robust.md', '+  while (waitpid(-1', '+  while (wait(-1');
  const result = tree.run('check');
  assertFinding(result, /^docs\/02-robust\.md:\d+: the fence under this marker is stale: its line 15 is "\+  while \(wait\(-1.*run tools\/docs\/docs sync 2$/);
  tree.run('sync', '2');
  assertClean(tree.run('check'));
});

test('a marker without a fence, and one with a fence of another language, are findings', () => {
  const tree = keep(makeProject());
  assertFinding(tree.run('check'), /this marker has no fence yet; run tools\/docs\/docs sync/);
  tree.run('sync');
  tree.edit('docs/02-robust.md', '```diff\n', '```cpp\n');
  assertFinding(tree.run('check'), /is ```cpp, it should be ```diff/);
});

test('an uncovered line is shown with the marker that would show it, which does', () => {
  const tree = keep(makeSyncedProject());
  tree.write('docs/02-robust.md', chapterText('Robust', '<!-- diff-skip CMakeLists.txt 2: the name -->\n'));
  const suggestions = [];
  for (;;) {
    const result = tree.run('check');
    if (result.status === 0) break;
    const marker = /no block shows .*; add (<!-- .* -->)$/.exec(result.findings[0])?.[1];
    assert.ok(marker, result.stdout);
    suggestions.push(marker);
    tree.edit('docs/02-robust.md', '<!-- diff-skip', `${marker}\n\n<!-- diff-skip`);
    tree.run('sync');
  }
  assert.deepEqual(suggestions, [
    '<!-- diff server.cpp -"// The server of chapter 01." .. +"// The server of chapter 02." -->',
    '<!-- diff server.cpp +"#include <sys/wait.h>" -->',
    '<!-- diff server.cpp fn:echo -->',
    '<!-- diff server.cpp fn:reap -->',
  ]);
});

test('the finding for an uncovered line has the line and how many more there are', () => {
  const tree = keep(makeSyncedProject());
  tree.edit('docs/02-robust.md', 'fn:echo fn:reap', 'fn:echo');
  tree.run('sync');
  assertFinding(tree.run('check'), /no block shows server\.cpp, line 17: "\+\/\/ Collects ended children\." and 4 more lines; add <!-- diff server\.cpp fn:reap -->/);
});

test('a removed function that no block shows is suggested as old-fn', () => {
  const { tree } = syncChapter(diffMarkers, { 'chapters/01-iterative/server.cpp': `${oldServer}\nvoid gone() {\n}\n` });
  assertFinding(tree.run('check'), /"-void gone\(\) \{".*; add <!-- diff server\.cpp old-fn:gone -->/);
});

test('a renamed function is a finding that says what there is', () => {
  const tree = keep(makeSyncedProject());
  tree.write('chapters/02-robust/server.cpp', newServer.replace('void reap(int)', 'void collect(int)'));
  const result = tree.run('check');
  assertFinding(result, /chapters\/02-robust\/server\.cpp has no function reap; it has echo, collect, main/);
  assertFinding(result, /add <!-- diff server\.cpp fn:collect -->/);
});

test('a function that only the old chapter has is pointed at', () => {
  const tree = keep(makeSyncedProject());
  tree.write('chapters/02-robust/server.cpp', newServer.replaceAll('echo(', 'serve('));
  assertFinding(tree.run('check'), /has no function echo; .* chapters\/01-iterative\/server\.cpp has it: write old-fn:echo, or the new name/);
});

const overloads = 'void f(int) {\n  a();\n}\n\nvoid f(char) {\n  b();\n}\n';

test('an ambiguous anchor names the candidates; # and a piece of the head choose', () => {
  const files = { 'chapters/02-robust/two.cpp': `int x;\n\n${overloads}`, 'chapters/01-iterative/two.cpp': 'int x;\n' };
  const ambiguous = syncChapter('<!-- diff two.cpp fn:f -->\n', files);
  assertFinding(ambiguous.result, /fn:f is ambiguous in chapters\/02-robust\/two\.cpp; choose fn:f#1 \(line 3: void f\(int\)\) or fn:f#2 \(line 7: void f\(char\)\)/);
  assertFinding(ambiguous.tree.run('check'), /add <!-- diff two\.cpp fn:f#1 -->/);

  const chosen = syncChapter('<!-- diff two.cpp fn:f#2 -->\n<!-- diff two.cpp fn:"f(int" -->\n', files).tree;
  assert.match(fenceAfter(chosen, 'docs/02-robust.md', 'fn:f#2'), /\+  b\(\);/);
  assert.match(fenceAfter(chosen, 'docs/02-robust.md', 'fn:"f(int"'), /\+  a\(\);/);
  assertFinding(syncChapter('<!-- diff two.cpp fn:f#3 -->\n', files).result, /has only 2 of fn:f/);
});

test('a free function hides a member of that name, Type::member finds the member', () => {
  const files = { 'chapters/02-robust/two.hpp': 'struct A {\n  int go() {\n    return 1;\n  }\n};\n\nint go() {\n  return 2;\n}\n', 'chapters/01-iterative/two.hpp': 'int x;\n' };
  const { tree } = syncChapter('<!-- diff two.hpp fn:go -->\n<!-- diff two.hpp fn:A::go -->\n', files);
  assert.match(fenceAfter(tree, 'docs/02-robust.md', 'fn:go'), /return 2/);
  assert.match(fenceAfter(tree, 'docs/02-robust.md', 'fn:A::go'), /return 1/);
});

test('anchors that cannot be followed are findings', () => {
  const cases = [
    ['<!-- diff server.cpp +"nowhere" -->', /no line of .* contains "nowhere"; copy the text/],
    ['<!-- diff server.cpp +"int " -->', /"int " is in lines .* of .*; take a longer text/],
    ['<!-- diff server.cpp fn:main -->', /nothing changes in fn:main of server\.cpp; take this anchor out/],
    ['<!-- diff server.cpp +"int main() {" -->', /nothing changes in the line with/],
    ['<!-- diff server.cpp +"void reap" .. +"sys/wait" -->', /"sys\/wait" comes before "void reap" in server\.cpp; exchange the two/],
    ['<!-- diff server.cpp -->', /say what of server\.cpp to show/],
    ['<!-- diff -->', /this marker needs a file first/],
    ['<!-- diff server.cpp function:f -->', /"function:f" is no anchor/],
    ['<!-- diff server.cpp +"open -->', /cannot read this marker from/],
    ['<!-- diff server.cpp .. +"x" -->', /"\.\." stands between two texts/],
    ['<!-- diff server.cpp +"void reap" .. -->', /after "\.\." a text in quotes is missing/],
    ['<!-- diff server.cpp rest fn:echo -->', /it stands alone in its marker/],
    ['<!-- diff server.cpp test:"x" -->', /test: is not for diffs/],
    ['<!-- diff CMakeLists.txt fn:f -->', /fn: needs a C\+\+ file; use a text in quotes/],
    ['<!-- diff nothing.cpp rest -->', /neither 01-iterative nor 02-robust has a file nothing\.cpp/],
    ['<!-- diff same.cpp rest -->', /same\.cpp is the same in 01-iterative and 02-robust/],
    ['<!-- code server.cpp rest -->', /"rest" is for diff markers/],
    ['<!-- code server.cpp old-fn:echo -->', /old-fn: is for diff markers/],
    ['<!-- code ../x.cpp -->', /no path inside the project/],
    ['<!-- code nothing.cpp -->', /there is no file nothing\.cpp/],
    ['<!-- code server.cpp type:Nothing -->', /has no type Nothing; it has none/],
    ['<!-- file server.cpp fn:echo -->', /fn:echo is in 01-iterative already; show what changes in it with a diff marker/],
    ['<!-- file server.cpp "void reap" -->', /a file marker shows a whole file, or new parts of one/],
    ['<!-- file server.cpp old-fn:echo -->', /a file marker shows a whole file, or new parts of one/],
    ['<!-- code broken.cpp fn:f -->', /the "\{" in line 1 has no partner/],
  ];
  const same = { 'chapters/01-iterative/same.cpp': 'int x;\n', 'chapters/02-robust/same.cpp': 'int x;\n', 'chapters/02-robust/broken.cpp': 'int f() {\n' };
  const { result } = syncChapter(cases.map(([marker]) => `${marker}\n\n`).join(''), same);
  for (const [, pattern] of cases) assertFinding(result, pattern);
  assert.match(result.summary, /25 markers could not be followed/);
});

test('a wrong count of skipped lines is a finding, as is a skip of nothing', () => {
  const tree = keep(makeSyncedProject());
  tree.edit('docs/02-robust.md', 'CMakeLists.txt 2:', 'CMakeLists.txt 3:');
  assertFinding(tree.run('check'), /diff-skip CMakeLists\.txt excuses 3, but 2 changed lines of it are not shown; .* write 2/);
  tree.edit('docs/02-robust.md', 'CMakeLists.txt 3:', 'CMakeLists.txt 2:');
  tree.edit('docs/02-robust.md', '<!-- diff-skip', '<!-- diff-skip server.cpp 1: why -->\n<!-- diff-skip same.txt 1: why -->\n<!-- diff-skip x 1 -->\n<!-- diff-skip');
  const result = tree.run('check');
  assertFinding(result, /diff-skip server\.cpp excuses 1, but 0 changed lines of it are not shown; take this marker out/);
  assertFinding(result, /nothing changes in same\.txt/);
  assertFinding(result, /cannot read this diff-skip; write <!-- diff-skip FILE COUNT: the reason -->/);
});

test('diff and diff-skip in a text without a chapter before it are findings', () => {
  const tree = keep(makeSyncedProject());
  tree.edit('docs/01-iterative.md', '<!-- code-cover', '<!-- diff server.cpp rest -->\n<!-- diff-skip server.cpp 1: x -->\n<!-- code-cover');
  tree.write('docs/glossary.md', '# Glossary\n<!-- diff server.cpp rest -->\n<!-- file server.cpp -->\n');
  const result = tree.run('check');
  assertFinding(result, /there is no chapter before this one to compare with; use a code marker/);
  assertFinding(result, /there is no diff here to skip a file of/);
  assertFinding(result, /glossary\.md:2: only the text of a chapter/);
  assertFinding(result, /glossary\.md:3: a file marker shows a file of a chapter/);
});

test('code blocks choose functions, types, tests and texts; gaps are marked', () => {
  const tree = keep(makeSyncedProject());
  tree.write(
    'docs/glossary.md',
    `# Glossary
<!-- code chapters/02-robust/server.cpp "buffer[512]" .. "auto got" fn:main -->
<!-- code tests/chapters/02-robust.cpp test:"the second client waits" -->
<!-- code chapters/02-robust/CMakeLists.txt -->
`,
  );
  assert.equal(tree.run('sync').status, 0);
  assert.equal(
    fenceAfter(tree, 'docs/glossary.md', '"buffer[512]"'),
    `\`\`\`cpp
  char buffer[512];
  while (true) {
    auto got = read(fd, buffer, sizeof buffer);

// ...

int main() {
  int fd = accept();
  echo(fd);
  close(fd);
}
\`\`\``,
  );
  assert.match(fenceAfter(tree, 'docs/glossary.md', 'test:"the second'), /^```cpp\nTEST_CASE\("the second client waits"/);
  assert.match(fenceAfter(tree, 'docs/glossary.md', 'CMakeLists'), /^```cmake\nadd_chapter\(02\)/);
  assertClean(tree.run('check'));
});

test('code-cover demands every line; code-skip excuses an exact number', () => {
  const tree = keep(makeSyncedProject());
  tree.write('common/fd.hpp', '#pragma once\n\n// Owns a descriptor.\nstruct Fd {\n  int value = -1;\n};\n\nvoid close_fd(int) {}\n');
  assertFinding(tree.run('check'), /code-skip common\/fd\.hpp excuses 1, but 2 lines of it are not shown/);
  tree.edit('docs/01-iterative.md', '<!-- code-skip common/fd.hpp 1: the guard -->', '');
  const result = tree.run('check');
  assertFinding(result, /no block shows common\/fd\.hpp, line 1: "#pragma once"; add <!-- code common\/fd\.hpp "#pragma once" -->/);
  assertFinding(result, /line 8: "void close_fd\(int\) \{\}"; add <!-- code common\/fd\.hpp fn:close_fd -->/);
});

test('a code-cover of nothing and a code-skip of something else are findings', () => {
  const tree = keep(makeSyncedProject());
  tree.edit('docs/01-iterative.md', codeMarkers.split('\n')[0], '<!-- code-cover -->\n<!-- code-cover common/*.nothing -->\n<!-- code-skip tools/learn/trace.sh 1: x -->\n<!-- code server.cpp -->');
  const result = tree.run('check');
  assertFinding(result, /code-cover needs the files to cover/);
  assertFinding(result, /common\/\*\.nothing matches no file/);
  assertFinding(result, /no code-cover marker of this document names tools\/learn\/trace\.sh/);
});

test('a fence in a <details> that follows a marker belongs to it', () => {
  const { tree } = syncChapter(`${diffMarkers}<!-- code server.cpp fn:main -->\n<details><summary>The code</summary>\n\n</details>\n`);
  assert.match(tree.read('docs/02-robust.md'), /fn:main -->\n<details><summary>The code<\/summary>\n\n```cpp\nint main\(\) \{[^`]*```\n<\/details>/);
  assertClean(tree.run('check'));
  assert.match(tree.run('sync').summary, /0 fences written/);
});

test('a marker inside a code fence is text', () => {
  const tree = keep(makeSyncedProject());
  tree.write('CONTRIBUTING.md', '# How\n\n~~~markdown\n<!-- diff server.cpp nonsense -->\n```diff\n```\n~~~\n');
  assertClean(tree.run('check'));
  assert.match(tree.run('sync').summary, /0 fences written/);
});

test('the text around a fence stays as it was, byte for byte', () => {
  const before = '\uFEFF# T\t \r\nodd   text\u00a0  \n\n- a list\n\n  <!-- code common/fd.hpp type:Fd -->\n';
  const after = '\ntext at once  \r\n```\nother\n```\nno newline at the end';
  const tree = keep(makeSyncedProject());
  tree.write('docs/odd.md', before + after);
  tree.run('sync');
  const fence = '  ```cpp\n  // Owns a descriptor.\n  struct Fd {\n    int value = -1;\n  };\n  ```\n';
  assert.equal(tree.read('docs/odd.md'), before + fence + after);
  assertClean(tree.run('check'));
});

test('a document with carriage returns keeps them, and gets them in its fences', () => {
  const tree = keep(makeSyncedProject());
  tree.write('docs/dos.md', '# T\r\n\r\n<!-- code chapters/02-robust/CMakeLists.txt -->\r\n\r\nend\r\n');
  tree.run('sync');
  assert.equal(tree.read('docs/dos.md'), '# T\r\n\r\n<!-- code chapters/02-robust/CMakeLists.txt -->\r\n```cmake\r\nadd_chapter(02)\r\n```\r\n\r\nend\r\n');
  assertClean(tree.run('check'));
  assert.match(tree.run('sync').summary, /0 fences written/);
});

test('code with a fence in it gets a longer fence around it', () => {
  const tree = keep(makeSyncedProject());
  tree.write('common/x.txt', 'a\n```\nb\n```\n');
  tree.write('docs/x.md', '# X\n<!-- code common/x.txt -->\n');
  tree.run('sync');
  assert.equal(tree.read('docs/x.md'), '# X\n<!-- code common/x.txt -->\n````text\na\n```\nb\n```\n````\n');
  assert.match(tree.run('sync').summary, /0 fences written/);
});

test('a fence that is never closed is a finding, and sync leaves the document alone', () => {
  const tree = keep(makeSyncedProject());
  const text = '# X\n<!-- code server.cpp -->\n```cpp\nint x;\n';
  tree.write('docs/x.md', text);
  assertFinding(tree.run('check'), /docs\/x\.md:3: this fence is never closed/);
  assertFinding(tree.run('sync'), /docs\/x\.md:3: this fence is never closed/);
  assert.equal(tree.read('docs/x.md'), text);
});

test('an empty tree has nothing to say', () => {
  const result = keep(new Tree({ 'README.md': '# R\n' })).run('check');
  assert.equal(result.status, 0);
});
