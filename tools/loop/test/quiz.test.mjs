// ./learn quiz: what is typed, what is said, what is remembered.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, test } from 'node:test';
import { listChapters } from '../../chapters.mjs';
import { Document } from '../../docs/lib/markdown.mjs';
import { parseQuiz } from '../../docs/lib/quiz.mjs';
import { readAnswer } from '../answer.mjs';
import { renderMarkdown } from '../markdown.mjs';
import { identify, readQuestions } from '../questions.mjs';
import { makeQuestion, Project } from './project.mjs';

const root = new URL('../../..', import.meta.url).pathname;

let projects = [];
function makeProject() {
  projects.push(new Project());
  return projects.at(-1);
}
afterEach(() => {
  projects.forEach((project) => project.remove());
  projects = [];
});

const noteOf = ({ chapter, result, number }) => ({ chapter, result, number });
const notesOf = (project) => project.progress.find({ kind: 'quiz' }).map(noteOf);
const question = (project, chapter, index) => readQuestions(project.root, chapter).questions[index];

for (const chapter of listChapters(root)) {
  test(`the questions of ${chapter}: each wrong option has its reason`, () => {
    const questions = parseQuiz(new Document(`docs/${chapter}.md`, readFileSync(`${root}docs/${chapter}.md`, 'utf8')));
    assert.ok(questions.length >= 4);
    for (const { line, options, right, reasons, wording, why, problems } of questions) {
      assert.deepEqual(problems, [], `line ${line}`);
      assert.ok(wording.startsWith('**') && why !== '' && options.some(({ letter }) => letter === right), `line ${line}`);
      for (const { letter, text } of options) {
        assert.ok(text.trim() !== '', `line ${line}`);
        if (letter === right) assert.ok(!reasons.has(letter), `line ${line}`);
        else assert.match(reasons.get(letter).text, new RegExp(`^Not (?:.* not )?${reasons.get(letter).letters.at(-1)}: .{5}`), `line ${line}: ${letter}`);
        if (letter !== right) assert.ok(reasons.get(letter).letters.includes(letter), `line ${line}: ${letter}`);
      }
    }
    assert.equal(new Set(questions.map(identify)).size, questions.length);
  });
}

test('a wrong answer is told its own reason and may be tried again; the right one brings the rest', async () => {
  const project = makeProject();
  const { code, out, err } = await project.run('quiz', ['1'], { input: 'a\nB\nc\n' });
  assert.equal(code, 0, err);
  assert.match(out, /^01-alpha: 2 questions\. /);
  assert.match(out, /Question 1 of 2\n\nWhat of `alpha1` in \*this\* case\?\n\nA\. alpha1 first, as here \(docs\/cpp\.md#x\)\.\nB\. alpha1 second\.\nC\. Nothing\.\n/);
  assert.match(out, /your answer \(A to C\): a\nWrong\. Not A: alpha1 is not A\.\nanother answer: B\nRight, B\. alpha1 is so\.\nNot C: alpha1 is not C\.\nMore of alpha1\.\n/);
  assert.equal(out.match(/Not A: alpha1/g).length, 1);
  assert.match(out, /your answer \(A to C\): c\nRight, C\. alpha2 is so\.\n/);
  assert.match(out, /\n2 questions: 1 right at the first try\.\nOne comes back: \.\/learn quiz --mix\n$/);
  assert.deepEqual(notesOf(project), [{ chapter: 'alpha', result: 'wrong', number: 2 }, { chapter: 'alpha', result: 'right', number: 1 }]);
});

test('what was right is left out until --again; what was wrong is asked again', async () => {
  const project = makeProject();
  await project.run('quiz', ['1'], { input: 'a\nb\nc\n' });
  const again = await project.run('quiz', ['alpha'], { input: 'b\n' });
  assert.match(again.out, /^01-alpha: 1 question\. \(1 more you have answered right; these, too: --again\)/);
  assert.match(again.out, /alpha1[^]*Right, B/);
  const nothing = await project.run('quiz', ['1']);
  assert.match(nothing.out, /^01-alpha: you have answered all 2 questions/);
  assert.equal(nothing.code, 0);
  assert.match((await project.run('quiz', ['1', '--again'], { input: 'b\nc\n' })).out, /2 questions: 2 right at the first try/);
});

test('words are taken where they begin one option, and explained where they do not', async () => {
  const project = makeProject();
  const input = 'because\n\nalpha1\nz\n7\nalpha1 SECOND\n';
  const { out } = await project.run('quiz', ['1'], { input });
  assert.match(out, /: because\nType the letter of the option that you mean: A, B or C\. Its first words will do,\ntoo\./);
  assert.match(out, /: alpha1\nThose words begin A and B: type one of the letters\./);
  assert.match(out, /: z\nThere is no Z: the options are A, B and C\./);
  assert.match(out, /: alpha1 SECOND\ntaken for B\nRight, B\./);
  assert.deepEqual(notesOf(project), [{ chapter: 'alpha', result: 'right', number: 1 }], 'what was no answer does not count');
});

test('an answer is understood in the forms in which people type one', () => {
  const options = [{ letter: 'A', text: '`bind` fails.' }, { letter: 'B', text: 'A client waits.' }, { letter: 'C', text: 'A client waits, too.' }];
  for (const typed of ['b', 'B', 'b.', '(B)', 'b)', ' B ', 'B. A client waits.', 'a client waits']) assert.equal(readAnswer(typed, options).letter, 'B', typed);
  assert.equal(readAnswer('bind', options).letter, 'A');
  assert.deepEqual(readAnswer('A client', options).fits, ['B', 'C']);
  for (const typed of ['q', 'quit', 'EXIT']) assert.ok(readAnswer(typed, options).leave, typed);
  for (const typed of ['', '?', '\u0000', 'why', '*']) assert.deepEqual(readAnswer(typed, options), {}, typed);
});

test('the same wrong answer twice is told so, and counts once', async () => {
  const project = makeProject();
  const { out } = await project.run('quiz', ['1'], { input: 'a\na\nb\n' });
  assert.match(out, /You have tried A\. Not A: alpha1/);
  assert.equal(notesOf(project)[0].number, 2);
});

test('the end of the input in the middle keeps what was answered', async () => {
  const project = makeProject();
  const { code, out } = await project.run('quiz', ['1'], { input: 'b\na\n' });
  assert.equal(code, 0);
  assert.match(out, /another answer: \n\n2 questions: 1 right at the first try\.\nOne comes back/);
  assert.deepEqual(notesOf(project), [{ chapter: 'alpha', result: 'right', number: 1 }, { chapter: 'alpha', result: 'wrong', number: 1 }]);
});

test('an empty pipe answers nothing, and nothing is noted', async () => {
  const project = makeProject();
  const { code, out } = await project.run('quiz', ['2']);
  assert.equal(code, 0);
  assert.match(out, /Nothing was answered\. The questions are still there: \.\/learn quiz 2\n$/);
  assert.ok(!project.exists('.learn'));
});

test('Ctrl-C ends with 130, and what was answered wrong is noted', async () => {
  const project = makeProject();
  const child = project.start('quiz', ['1']);
  child.stdin.write('a\n');
  let out = '';
  for await (const text of child.stdout.setEncoding('utf8')) {
    out += text;
    if (out.endsWith('another answer: ')) child.kill('SIGINT');
  }
  if (child.exitCode === null) await once(child, 'exit');
  assert.equal(child.exitCode, 130);
  assert.deepEqual(notesOf(project), [{ chapter: 'alpha', result: 'wrong', number: 1 }]);
});

test('a reader of stdout that leaves is no failure, and loses no answer', async () => {
  const project = makeProject();
  const child = project.start('quiz', ['1']);
  const ended = once(child, 'exit');
  let out = '';
  while (!out.endsWith('(A to C): ')) out += String((await once(child.stdout, 'data'))[0]);
  child.stdout.destroy();
  child.stdin.write('a\n');
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(notesOf(project), [{ chapter: 'alpha', result: 'wrong', number: 1 }]);
});

test('two at once leave each line whole', async () => {
  const project = makeProject();
  const runs = Array.from({ length: 6 }, () => project.run('quiz', ['1'], { input: 'a\nb\na\nb\nc\n' }));
  for (const { code } of await Promise.all(runs)) assert.equal(code, 0);
  assert.equal(project.progress.find({ kind: 'quiz' }).length, 12);
  assert.deepEqual(project.progress.unread, []);
});

test('--mix asks what is due of all chapters, what was wrong first', async () => {
  const project = makeProject();
  const entry = (chapter, index, result, ago) => {
    const { id } = question(project, chapter, index);
    return { chapter, kind: 'quiz', id, hash: id, result, number: 1, ago };
  };
  project.note(entry('01-alpha', 0, 'right', 2), entry('01-alpha', 1, 'right', 0.5), entry('03-gamma', 0, 'wrong', 0.1));
  const { out } = await project.run('quiz', ['--mix'], { input: 'b\nb\n' });
  assert.match(out, /^2 questions of 2 chapters\./);
  assert.match(out, /Question 1 of 2, from 03-gamma[^]*gamma1[^]*Question 2 of 2, from 01-alpha[^]*alpha1/);
  assert.match((await project.run('quiz', ['--mix'])).out, /^Nothing is due\. Of the 3 questions that you have answered, the next comes back\non \d{4}-\d\d-\d\d\./);
  assert.match((await project.run('quiz', ['--mix', '--again'])).out, /^3 questions of 2 chapters/);
});

test('--mix says so when nothing has been answered', async () => {
  assert.match((await makeProject().run('quiz', ['--mix'])).out, /^Nothing is due: you have answered no question yet\./);
});

test('--overview: a line for each chapter, within forty columns', async () => {
  const project = makeProject();
  await project.run('quiz', ['2'], { input: 'a\nb\nc\n' });
  const { out } = await project.run('quiz', ['--overview']);
  assert.match(out, /^chapter {3}asked {2}right {2}due\n01-alpha {4}0\/2 {6}0 {4}0\n02-beta {5}2\/2 {6}1 {4}1\n/);
  assert.match(out, /due: 1 in all, \.\/learn quiz --mix\n$/);
  assert.ok(out.split('\n').every((line) => line.length <= 40), out);
  assert.doesNotMatch((await project.run('quiz', ['beta', '--overview'])).out, /alpha/);
});

test('a changed question is asked anew; a changed explanation, another line break or another place costs nothing', async () => {
  const project = makeProject();
  await project.run('quiz', ['1'], { input: 'b\nc\n' });
  const text = project.read('docs/01-alpha.md');
  project.write('docs/01-alpha.md', `# Text\n\nNew.\n${text.replace('alpha1 is so.', 'alpha1 is so, since it is.').replace('`alpha1`\nin', '**`alpha1` in**')}`);
  assert.match((await project.run('quiz', ['1'])).out, /you have answered all 2 questions/);
  project.write('docs/01-alpha.md', text.replace('- C. Nothing.', '- C. Nothing at all.'));
  assert.match((await project.run('quiz', ['1'])).out, /^01-alpha: 1 question\./);
});

test('the chapter before it may get another number', async () => {
  const project = makeProject();
  await project.run('quiz', ['2'], { input: 'b\nc\n' });
  for (const folder of ['chapters', 'tests/chapters', 'docs']) assert.ok(project.exists(folder));
  const moved = new Project(['01-alpha', '02-new', '03-beta']);
  projects.push(moved);
  moved.write('.learn/progress.tsv', project.read('.learn/progress.tsv'));
  assert.match((await moved.run('quiz', ['beta'])).out, /^03-beta: you have answered all/);
});

test('without a chapter it is the first that has a question left', async () => {
  const project = makeProject();
  assert.match((await project.run('quiz', [])).out, /^01-alpha:/);
  await project.run('quiz', ['1'], { input: 'b\nc\n' });
  assert.match((await project.run('quiz', [])).out, /^02-beta:/);
});

const wrongLines = [
  [['9'], /there is no chapter 9: the first is 01-alpha, the last 03-gamma/],
  [['gmma'], /did you mean 03-gamma\?/],
  [['1', '2'], /'2' is one word too many/],
  [['--agian'], /quiz has no option --agian; did you mean --again\?/],
  [['--xyzzy'], /quiz has no option --xyzzy\n/],
  [['-x'], /quiz has no option -x\n/],
  [['--mix=3'], /--mix takes no value/],
  [['--mix', '3'], /name no chapter beside it/],
  [['--overview', '--mix'], /--overview asks nothing: leave --mix out/],
];
for (const [words, pattern] of wrongLines) {
  test(`quiz ${words.join(' ')} is refused in words`, async () => {
    const { code, out, err } = await makeProject().run('quiz', words);
    assert.equal(code, 2);
    assert.equal(out, '');
    assert.match(err, pattern);
  });
}

test('a text without questions, without a text, and with one that cannot be read', async () => {
  const project = makeProject();
  project.write('docs/01-alpha.md', '# Text\n');
  const none = await project.run('quiz', ['1']);
  assert.deepEqual([none.code, none.err], [1, 'quiz: docs/01-alpha.md has no questions\n']);
  project.write('docs/01-alpha.md', `${makeQuestion('good')}${makeQuestion('bad').replace('Not C: bad is not C.', '')}`);
  const one = await project.run('quiz', ['1'], { input: 'b\n' });
  assert.match(one.err, /^quiz: left out, since it cannot be read: docs\/01-alpha\.md:25: the answer does not say why C is wrong/m);
  assert.match(one.out, /^01-alpha: 1 question\./);
  const bare = new Project(['07-bare']);
  projects.push(bare);
  bare.write('chapters/08-other/CMakeLists.txt', 'add_chapter(server.cpp)\n');
  bare.write('tests/chapters/08-other.cpp', '');
  const other = await bare.run('quiz', ['8']);
  assert.deepEqual([other.code, other.err], [1, 'quiz: 08-other has no text, and so no questions: there is no docs/08-other.md\n']);
});

test('Markdown: code, emphasis, links and blocks, with colours and without', () => {
  const paint = (style, text) => `<${style[0]}:${text}>`;
  assert.equal(renderMarkdown('**A `x y`, *b*\nand 2 * 3 * 4?**'), 'A `x y`, *b* and 2 * 3 * 4?');
  assert.equal(renderMarkdown('**A `x y`, *b c*?**', { paint }), 'A <c:x> <c:y>, <b:b> <b:c>?');
  assert.equal(renderMarkdown('``a`b`` [`c` d](../README.md) [e](#f) [g](https://h.org/)'), '``a`b`` `c` d (README.md) e (#f) g (https://h.org/)');
  assert.equal(renderMarkdown('One.\n\n```cpp\nint *a, *b;\n```\n<!-- no -->\nTwo.'), 'One.\n\n    int *a, *b;\n\nTwo.');
});

test('? says that one does not know: it counts as wrong, and the answer is told', async (context) => {
  const project = new Project();
  context.after(() => project.remove());
  const { code, out } = await project.run('quiz', ['1'], { input: '?\nC\n' });
  assert.equal(code, 0);
  assert.match(out, /It is B\. /);
  assert.deepEqual(project.progress.entries.map(({ result }) => result), ['wrong', 'right']);
});
