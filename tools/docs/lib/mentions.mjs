// What a text names must exist: commands of ./learn, paths of the project, tests, chapters.

import { readArguments } from './anchors.mjs';
import { findLooseNumbers, findMentions, findWrongLinks } from './chapter-mentions.mjs';
import { Problem } from './problem.mjs';

const generatedMarkers = ['diff', 'file', 'code'];

// A path with one of these in it is a pattern for a reader to fill in.
const placeholder = /[*<>{}$…]|\.\.\.|NN|\bNAME\b|\bMODE\b/;

export class MentionChecker {
  #testFiles; // {path, names}, read when first asked for

  constructor(project) {
    this.project = project;
  }

  check(document, report) {
    this.#checkCommands(document, report);
    this.#checkTestMarkers(document, report);
    this.#checkReplayMarkers(document, report);
    this.#checkNumbers(document, report);
    for (const { text, line } of document.readInline().spans) {
      for (const path of findPaths(text)) {
        if (!this.project.exists(path)) report.add(document.path, line, `\`${path}\` does not exist; correct the path`);
      }
      const [, name] = /^test:\s*"(.*)"$/.exec(text) ?? [];
      if (name !== undefined) report.guard(document.path, line, () => this.#demandTest(name));
    }
  }

  // Everywhere but in code made from files, where a comment may speak of anything.
  #checkCommands(document, report) {
    const generated = document.markersNamed(...generatedMarkers).map((marker) => document.findFence(marker)).filter(Boolean);
    document.lines.forEach((text, index) => {
      if (generated.some((fence) => index > fence.open && index < (fence.close ?? Infinity))) return;
      for (const [, word] of text.matchAll(/\.\/learn ([a-z][\w-]*)/g)) {
        if (!this.#isCommand(word)) {
          report.add(document.path, index + 1, `./learn has no command "${word}" (there is no tools/learn/${word}.sh); correct it`);
        }
      }
      // pgrep takes the beginning of a name, and a number that was a chapter's before finds no process.
      for (const [, word] of text.matchAll(/\b(?:pgrep|pidof|pkill)\s+(?:-\w+\s+)*(\d\d-[a-z][a-z-]*)/g)) {
        if (!this.project.chapters.some(({ name }) => name.startsWith(word))) {
          report.add(document.path, index + 1, `no chapter's server is called ${word}; correct it`);
        }
      }
    });
  }

  // The numbers of chapters, each in one of the forms that tools/insert-chapter knows.
  #checkNumbers(document, report) {
    const text = document.lines.join('\n');
    const names = this.project.chapters.map(({ name }) => name);
    if (names.length === 0) return;
    const numbers = new Set(names.map((name) => name.slice(0, 2)));
    const add = ({ start }, message) => report.add(document.path, text.slice(0, start).split('\n').length, message);
    for (const mention of findMentions(text, names)) {
      const number = mention.number.padStart(2, '0');
      if (mention.form === 'bare') add(mention, `nobody sees that ${number} is a chapter, nor does tools/insert-chapter; write "chapter ${number}", or link it`);
      else if (mention.form === 'chapter' && !numbers.has(number)) add(mention, `there is no chapter ${number}; the last is ${names.at(-1)}`);
    }
    for (const wrong of findWrongLinks(text)) add(wrong, `this link says ${wrong.number} and leads to ${wrong.target}; correct one of them`);
    for (const loose of findLooseNumbers(text, names)) add(loose, `${loose.number} looks like a chapter, and tools/insert-chapter does not know it; write "chapter ${loose.number}", or link it`);
  }

  #isCommand(word) {
    return this.project.isFile(`tools/learn/${word}.sh`);
  }

  #checkTestMarkers(document, report) {
    for (const marker of document.markersNamed('test')) {
      report.guard(document.path, marker.line, () => {
        const [file, name, ...others] = readArguments(marker.rest);
        if (file?.word === undefined || name?.text === undefined || others.length > 0) {
          throw new Problem('cannot read this marker; write <!-- test 03-fork "the test\'s name" -->');
        }
        this.#demandTest(name.text.replace(/\\"/g, '"'), file.word);
      });
    }
  }

  // A text that sends its reader to a frame says what happens in it: a new recording may give it another number.
  #checkReplayMarkers(document, report) {
    for (const marker of document.markersNamed('replay')) {
      report.guard(document.path, marker.line, () => {
        const [name, frame, event, ...others] = readArguments(marker.rest);
        if (name?.word === undefined || !/^\d+$/.test(frame?.word) || event?.text === undefined || others.length > 0) {
          throw new Problem('cannot read this marker; write <!-- replay epoll 22 "the second client sends" -->');
        }
        this.#demandFrame(name.word, Number(frame.word), event.text.replace(/\\"/g, '"'));
      });
    }
  }

  #demandFrame(name, number, beginning) {
    const path = `docs/replay/${name}.json`;
    if (!this.project.isFile(path)) throw new Problem(`there is no recording ${path}; correct the name, which has no number`);
    const { frames } = JSON.parse(this.project.readText(path));
    if (!frames[number]) throw new Problem(`${path} has frames 0 to ${frames.length - 1}; correct the number`);
    const { text } = frames[number].event;
    if (!text.startsWith(beginning)) {
      throw new Problem(`frame ${number} of ${path} is "${text}" and does not begin with "${beginning}"; correct the number, and what the text says of it`);
    }
  }

  #demandTest(name, file) {
    const holders = this.#readTests().filter(({ names }) => names.has(name)).map(({ path }) => path);
    if (holders.length === 0) throw new Problem(`no file below tests/ has a TEST_CASE "${name}"; correct the name`);
    const isThere = file === undefined || holders.some((path) => path.endsWith(`/${file}.cpp`));
    if (!isThere) throw new Problem(`the test "${name}" is in ${holders.join(', ')}, not in ${file}.cpp; correct the marker`);
  }

  #readTests() {
    this.#testFiles ??= this.project.listFiles('tests', /\.cpp$/).map((path) => {
      const tests = this.project.readSource(path).items.filter((item) => item.kind === 'test');
      return { path, names: new Set(tests.map((test) => test.name)) };
    });
    return this.#testFiles;
  }
}

// The words of a code span that are paths of the project, without a line's number or an anchor.
function findPaths(text) {
  return text
    .split(/\s+/)
    .filter((word) => /^(docs|common|chapters|tests|tools)\/./.test(word) && !placeholder.test(word))
    .map((word) => word.replace(/(:\d+)?[.,:;)]*$/, '').replace(/#.*$/, ''));
}
