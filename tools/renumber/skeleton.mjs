// What a chapter that has just been put in consists of: the server of the chapter before, under another first line.

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listChapterFiles } from '../chapters.mjs';

const width = 100; // columns, as .clang-format has it

const sections = ['In plain words', 'Why', 'The diff', 'Predict, then watch', 'What it costs', 'What it still cannot do', 'Think', 'Quiz', 'If you are confused', 'Practice', 'Read on'];

/** Makes the chapter's folder, its tests and its text, with the server of `before`. `before` and `name` are full names. */
export function makeSkeleton(root, { before, name, title, idea, next }) {
  const folder = join(root, 'chapters', name);
  copyChapter(join(root, 'chapters', before), folder);
  const declaration = /^add_chapter\(\s*[^)]*?(?=\s+(?:SIDE_ROAD|BEGINS|ENDS)[\s)]|\s*\))/m.exec(readFileSync(join(folder, 'CMakeLists.txt'), 'utf8'))[0];
  const comment = `Chapter ${name.slice(0, 2)}: ${idea}.`;
  const server = join(folder, 'server.cpp');
  const code = readFileSync(server, 'utf8');
  const isShared = /^\/\/ Chapters /.test(code); // the same to the byte in several chapters
  if (!isShared) writeFileSync(server, wrap(comment, '// ') + code.replace(/^(?:\/\/.*\n)+/, ''));
  writeFileSync(join(folder, 'CMakeLists.txt'), `${isShared ? `# ${comment}\n` : ''}${declaration})\n`);
  writeFileSync(join(root, 'tests/chapters', `${name}.cpp`), makeTests(name));
  writeFileSync(join(root, 'docs', `${name}.md`), makeText({ name, title, next, file: isShared ? 'CMakeLists.txt' : 'server.cpp' }));
}

/** Whether a chapter is as makeSkeleton has left it: its code that of the chapter before, its text unfinished. */
export function isSkeleton(root, before, name) {
  const [own, other] = [name, before].map((chapter) => readSources(join(root, 'chapters', chapter)));
  const withoutHead = (text) => text?.replace(/^(?:\/\/.*\n)+/, '');
  const same = own.size === other.size && [...own].every(([file, text]) => withoutHead(text) === withoutHead(other.get(file)));
  const text = join(root, 'docs', `${name}.md`);
  return same && readFileSync(join(root, 'tests/chapters', `${name}.cpp`), 'utf8') === makeTests(name)
    && existsSync(text) && /^<!-- unfinished -->$/m.test(readFileSync(text, 'utf8'));
}

function copyChapter(from, to) {
  for (const file of listChapterFiles(from)) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    copyFileSync(join(from, file), join(to, file));
  }
}

function readSources(folder) {
  return new Map(listChapterFiles(folder).filter((file) => !file.endsWith('CMakeLists.txt')).map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
}

function wrap(text, prefix) {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (lines.at(-1) !== '' && prefix.length + lines.at(-1).length + 1 + word.length > width) lines.push('');
    lines[lines.length - 1] += (lines.at(-1) === '' ? '' : ' ') + word;
  }
  return lines.map((line) => `${prefix}${line}\n`).join('');
}

function makeTests(name) {
  return `// \`${name.slice(3)}\`: what this chapter promises beside the contract.

#include <catch2/catch_test_macros.hpp>

#include "support/client.hpp"
#include "support/server.hpp"

TEST_CASE("two clients in turn get back what they have sent", "[promise][wire]") {
    const Server server;
    for (int i = 0; i < 2; ++i) {
        Client client(server);
        REQUIRE(client.exchange("hello") == "hello");
    }
}
`;
}

function makeText({ name, title, next, file }) {
  const parts = {
    'The diff': `<!-- diff ${file} rest -->\n\n`,
    'Read on': next,
  };
  return `# ${name.slice(0, 2)} ${title}\n\n<!-- unfinished -->\n\n${sections.map((section) => `## ${section}\n\n${parts[section] ?? ''}`).join('').trimEnd()}\n`;
}
