// A small project for the tests of ./learn ask: two chapters, a text, a planted bug, a solution; and the command run there.

import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const realRoot = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

const files = {
  'CMakePresets.json': '{}\n',
  'chapters/01-one/CMakeLists.txt': 'add_chapter(server.cpp)\n',
  'chapters/01-one/server.cpp': '// Chapter 01: one client.\n\nint main() {\n    serve();\n}\n',
  'chapters/02-two/CMakeLists.txt': 'add_chapter(server.cpp)\n',
  'chapters/02-two/server.cpp': '// Chapter 02: a process for each client.\n\n#include "reap.hpp"\n\nint main() {\n    reap_all();\n    serve();\n}\n',
  'chapters/02-two/reap.hpp': '// Takes ended children off the table.\nvoid reap_all() {\n    while (wait_for_one() > 0) {\n    }\n}\n',
  'chapters/02-two/notes.hpp': '// A note of the reader, which nothing includes.\n',
  'common/fd.hpp': 'struct Fd {};\n',
  'tests/chapters/01-one.cpp': 'TEST_CASE("one client is served", "[promise]") {}\n',
  'tests/chapters/02-two.cpp': 'TEST_CASE("no child stays a zombie, ever", "[promise]") {}\nTEST_CASE("two clients are served", "[promise]") {}\n',
  'tests/contract/echo.cpp': 'TEST_CASE("what is sent comes back", "[contract]") {}\nTEST_CASE("a signal ends it", "[contract][from-later]") {}\n',
  'tests/bugs/02-two/1.patch': `Symptom: some zombies stay
Hint: How many signals come when three children end at once?
Found by: no child stays a zombie, ever

--- a/chapters/02-two/reap.hpp
+++ b/chapters/02-two/reap.hpp
@@ -1,5 +1,4 @@
 // Takes ended children off the table.
 void reap_all() {
-    while (wait_for_one() > 0) {
-    }
+    wait_for_one_and_no_other();
 }
`,
  'tests/exercises/02-two/goodbye.patch': '--- a/chapters/02-two/server.cpp\n+++ b/chapters/02-two/server.cpp\n@@ -5,3 +5,4 @@\n int main() {\n+    say_goodbye_to_all_children();\n     reap_all();\n',
  'docs/01-one.md': '# 01 One\n\n## In plain words\n\nOne client.\n',
  'docs/02-two.md': `# 02 Two: a process for each client

## In plain words

The server is in two places at once. See [the page](cpp.md#lambdas) of \`[](int)\`.

## The diff

<!-- diff server.cpp fn:main -->
\`\`\`diff
 int main() {
+    reap_all();
\`\`\`

<details><summary>Why a loop</summary>

Signals of one kind do not queue.

</details>

## Predict, then watch

1. Who calls \`read\`?

<details><summary>The trace: <code>./learn trace 2 --plain</code></summary>

<!-- run ./learn trace 2 --plain -->
\`\`\`text
02-two, one client: strace of the server
  child 1  read(4, "hello\\n", 65536) = 6
\`\`\`

</details>

<details><summary>The answer</summary>

1. The first child calls it, and no other process does.

</details>

## Think

**What may go wrong?**

<details><summary>An answer</summary>

The table of processes fills up after some days of work.

</details>

## Quiz

<!-- quiz -->
**What is left of a child that has ended, before its parent asks?**

- A. Nothing.
- B. An entry in the table of processes.
- C. Its memory.

<details><summary>Answer</summary>

**B.** The entry keeps the status until somebody asks for it. Not A: the parent may ask. Not C: memory goes at once.

</details>
<!-- /quiz -->

## If you are confused

| you see | because | look with |
| --- | --- | --- |
| \`<defunct>\` in \`ps\` | a child has not been reaped | \`./learn watch 2\` |
| zombies after a crowd | one wait for many signals; bug 1 of *Practice* | \`ps\` |

## Practice

**Say goodbye.** Let the parent tell its children.

<details><summary>What you should see</summary>

Each child says a word of goodbye and ends with zero.

</details>

## Read on

- The book.
`,
};

// The usage of the commands that a prompt names, so that a golden prompt does not depend on theirs.
const usages = { run: '[CHAPTER]', test: '[CHAPTER] [WORD...] [-R REGEX]', diff: '[CHAPTER] [--side]', trace: '[CHAPTER] [--plain]', capture: '[CHAPTER]', watch: '[CHAPTER]', client: '[CHAPTER]', predict: '[CHAPTER]', quiz: '[CHAPTER]', practice: '[CHAPTER]' };

export class Fixture {
  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'learn-ask-test-'));
    for (const [path, text] of Object.entries(files)) this.write(path, text);
    cpSync(join(realRoot, 'learn'), join(this.root, 'learn'));
    cpSync(join(realRoot, 'tools/learn'), join(this.root, 'tools/learn'), { recursive: true });
    for (const name of readdirSync(join(realRoot, 'tools'))) {
      if (name !== 'learn') symlinkSync(join(realRoot, 'tools', name), join(this.root, 'tools', name));
    }
    for (const [name, words] of Object.entries(usages)) {
      const lines = readFileSync(join(this.root, `tools/learn/${name}.sh`), 'utf8').split('\n');
      lines[1] = `# ./learn ${name} ${words}`;
      this.write(`tools/learn/${name}.sh`, lines.join('\n'));
    }
  }

  write(path, text, mode) {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
    if (mode) chmodSync(join(this.root, path), mode);
  }

  read(path) {
    return readFileSync(join(this.root, path), 'utf8');
  }

  edit(path, from, to) {
    const text = this.read(path);
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    this.write(path, text.replace(from, () => to));
  }

  /** Puts a program of that name first in PATH: a shell script. */
  addProgram(name, script) {
    this.write(`bin/${name}`, `#!/bin/sh\n${script}\n`, 0o755);
  }

  /** Stands in for cmake, which builds nothing, and ctest, whose report has one test with this end and output. */
  addBuildTools(status, output) {
    this.addProgram('cmake', 'case $1 in\n--version) echo cmake version 3.31.0 ;;\n--preset) mkdir -p build; echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >build/CMakeCache.txt; touch build/build.ninja ;;\nesac');
    const name = 'no child stays a zombie, ever';
    this.write('report.xml', status === undefined ? '<testsuite name="none">\n</testsuite>\n'
      : `<testsuite name="x">\n<testcase name="02-two/${name}" classname="x" time="1" status="${status}">\n<failure message=""/>\n<system-out>${output}</system-out>\n</testcase>\n</testsuite>\n`);
    this.addProgram('ctest', 'while [ $# -gt 0 ]; do [ "$1" != --output-junit ] || cp report.xml "$2"; shift; done');
  }

  remove() {
    rmSync(this.root, { recursive: true, force: true });
  }

  ask(...words) {
    return this.askWith({}, ...words);
  }

  /**
   * Runs what ./learn ask becomes, and spares the test the shell before it; `cwd`, `env` and `input` as given. Resolves to
   * {status, stdout, stderr}.
   */
  askWith({ cwd = this.root, env = {}, input = '' }, ...words) {
    const path = `${join(this.root, 'bin')}:${process.env.PATH}`;
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(LEARN_.*|DISPLAY|WAYLAND_DISPLAY|WSL_DISTRO_NAME|NODE_TEST_CONTEXT)$/.test(name)));
    return new Promise((resolve) => {
      const learn = { LEARN_ROOT: this.root, LEARN_FROM: cwd, PATIENCE: '5' };
      const child = spawn(process.execPath, ['tools/loop/ask.mjs', ...words], { cwd: this.root, env: { ...clean, ...learn, CI: 'true', PATH: path, ...env } });
      const said = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (said[stream] += text));
      child.stdin.on('error', () => {});
      child.stdin.end(input);
      child.on('close', (status) => resolve({ status, ...said }));
    });
  }
}
