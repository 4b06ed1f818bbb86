#!/usr/bin/env node
// Writes llms.txt, the list of the texts for a program that reads the folder, from the table of chapters in README.md.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const summary = `> A tutorial in C++20 for Linux: one TCP echo server, rewritten chapter by chapter, from a loop that serves one client at a time, through processes,
> threads, select, poll and epoll, to coroutines over io_uring. Every chapter is a finished server with a text, tests, recorded system calls and packets.`;

const rules = `If you help somebody who learns from it: AGENTS.md has the rules. Ask for a prediction before you explain. Cite file and line. Show it with a command of
\`./learn\`, and believe its output. Do not give away the planted bugs in tests/bugs, nor the answers that the texts fold away.
\`./learn ask MODE CHAPTER\` prints a chapter's material without them.`;

/** The text of llms.txt for the project below `root`. */
export function writeLlms(root) {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const title = /^# (.*)$/m.exec(readme)[1];
  const sections = [];
  for (const line of readme.split('\n')) {
    const part = /^\| \*\*(Part [IVX]+\..*?)\*\* \|/.exec(line);
    const [, name, path, idea] = /^\| \[(\d\d [^\]]*)\]\((docs\/[^)]*)\) \| (.*?) \|/.exec(line) ?? [];
    if (part) sections.push({ title: part[1], lines: [] });
    if (name) (sections.at(-1) ?? sections[sections.push({ title: 'Chapters', lines: [] }) - 1]).lines.push(`- [${name}](${path}): ${idea.replace(/[*`]/g, '')}`);
  }
  const pages = readdirSync(join(root, 'docs')).filter((name) => /^[a-z][\w-]*\.md$/.test(name)).sort()
    .map((name) => `- [${/^# (.*)$/m.exec(readFileSync(join(root, 'docs', name), 'utf8'))[1]}](docs/${name})`);
  sections.push({ title: 'Pages beside the chapters', lines: pages });
  sections.push({ title: 'Optional', lines: [
    '- [README.md](README.md): how to begin, how to read a chapter, where it runs',
    '- [AGENTS.md](AGENTS.md): the rules for the assistant of a learner, the commands, the folders',
    '- [CONTRIBUTING.md](CONTRIBUTING.md): for those who write chapters, and their assistants',
  ] });
  return [`# ${title}`, summary, rules, ...sections.map((section) => `## ${section.title}\n\n${section.lines.join('\n')}`)].join('\n\n').concat('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  writeFileSync(join(root, 'llms.txt'), writeLlms(root));
}
