// Small project trees in a temporary folder, and the tool run on them as a user runs it.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tool = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs.mjs');

export class Tree {
  constructor(files = {}) {
    this.root = mkdtempSync(join(tmpdir(), 'docs-tool-'));
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  write(path, text) {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path) {
    return readFileSync(join(this.root, path), 'utf8');
  }

  edit(path, from, to) {
    const text = this.read(path);
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    this.write(path, text.replace(from, () => to));
  }

  remove() {
    rmSync(this.root, { recursive: true, force: true });
  }

  run(command, ...words) {
    return this.runWith({}, command, ...words);
  }

  runWith(environment, command, ...words) {
    const done = spawnSync(process.execPath, [tool, command, '--root', this.root, ...words], {
      encoding: 'utf8',
      env: { ...process.env, DOCS_STRICT: '', ...environment },
    });
    const lines = done.stdout.trimEnd().split('\n');
    return { status: done.status, stdout: done.stdout, stderr: done.stderr, findings: lines.slice(0, -1), summary: lines.at(-1) };
  }
}

export const oldServer = `// The server of chapter 01.
#include <cstdio>
#include <unistd.h>

// Sends back what comes.
void echo(int fd) {
  char buffer[512];
  while (true) {
    auto got = read(fd, buffer, sizeof buffer);
    if (got <= 0) return;
    write(fd, buffer, got);
  }
}

int main() {
  int fd = accept();
  echo(fd);
  close(fd);
}
`;

export const newServer = `// The server of chapter 02.
#include <cstdio>
#include <unistd.h>
#include <sys/wait.h>

// Sends back what comes.
void echo(int fd) {
  char buffer[512];
  while (true) {
    auto got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    write(fd, buffer, got);
  }
}

// Collects ended children.
void reap(int) {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

int main() {
  int fd = accept();
  echo(fd);
  close(fd);
}
`;

const quizQuestion = `<!-- quiz -->
**What is left of the child?**
- A. Nothing.
- B. An entry in the process table.
- C. Its memory.

<details><summary>Answer</summary>

**B.** The entry keeps the exit status. Not A: somebody may ask. Not C: memory goes at exit.

</details>
<!-- /quiz -->
`;

const thought = `Why so?

<details><summary>Answer</summary>

Because.

</details>
`;

// A chapter's text of the right form; `code` goes into the section of the diff or the code.
export function chapterText(title, code, { isFirst = false, number = isFirst ? 1 : 2 } = {}) {
  const why = isFirst ? '' : '## Why\nThe one before could not.\n\n';
  return `# ${title}

## In plain words
A picture.

\`\`\`mermaid
graph LR
\`\`\`

${why}## ${isFirst ? 'The code' : 'The diff'}
${code}
## Predict, then watch
Run \`./learn trace 2\`, or \`./learn predict ${number}\`.

## What it costs
Little.

## What it still cannot do
Much.

## Think
${thought}${thought}${thought}
## Quiz
\`./learn quiz ${number}\` asks them.

${quizQuestion.repeat(4)}
## If you are confused
| you see | because | look with |
| --- | --- | --- |
${'| this | that | `ps` |\n'.repeat(5)}
## Practice
Bugs.

\`\`\`
./learn practice ${number}
\`\`\`

## Read on
UNP 4.7.
`;
}

export const diffMarkers = `The header.

<!-- diff server.cpp +"sys/wait.h" -->

The comment.

<!-- diff server.cpp -"The server of chapter 01" .. +"The server of chapter 02" -->

Interrupted.

<!-- diff server.cpp fn:echo fn:reap -->

<!-- diff-skip CMakeLists.txt 2: only the target's name changes -->
`;

export const codeMarkers = `<!-- code server.cpp -->

<!-- code common/fd.hpp type:Fd -->

<!-- code-cover server.cpp common/*.hpp -->
<!-- code-skip common/fd.hpp 1: the guard -->
<!-- test 02-robust "the second client waits" -->
`;

const projectFiles = {
  'chapters/01-iterative/server.cpp': oldServer,
  'tests/chapters/01-iterative.cpp': '',
  'chapters/01-iterative/CMakeLists.txt': 'add_chapter(01)\n',
  'chapters/02-robust/server.cpp': newServer,
  'chapters/02-robust/CMakeLists.txt': 'add_chapter(02)\n',
  'common/fd.hpp': '#pragma once\n\n// Owns a descriptor.\nstruct Fd {\n  int value = -1;\n};\n',
  'tests/chapters/02-robust.cpp': 'TEST_CASE("the second client waits", "[limit]") {\n  CHECK(true);\n}\n',
  'tools/learn/help.sh': 'echo\n',
  'tools/learn/trace.sh': 'echo\n',
  'tools/learn/predict.sh': 'echo\n',
  'tools/learn/quiz.sh': 'echo\n',
  'tools/learn/practice.sh': 'echo\n',
  'docs/01-iterative.md': chapterText('Iterative', codeMarkers, { isFirst: true }),
  'docs/02-robust.md': chapterText('Robust', diffMarkers),
  'README.md': '# Read me\n\nSee [the first chapter](docs/01-iterative.md#the-code).\n',
};

// A project in which nothing is wrong once it has been synced.
export function makeProject() {
  return new Tree(projectFiles);
}

let syncedFiles;

// The same, synced. The first one is synced by the tool, later ones are copies.
export function makeSyncedProject() {
  syncedFiles ??= syncFiles(projectFiles);
  return new Tree(syncedFiles);
}

function syncFiles(files) {
  const tree = new Tree(files);
  const { status, stdout } = tree.run('sync');
  if (status !== 0) throw new Error(stdout);
  const synced = Object.fromEntries(Object.keys(files).map((path) => [path, tree.read(path)]));
  tree.remove();
  return synced;
}
