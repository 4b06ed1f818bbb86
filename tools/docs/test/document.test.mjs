// The form of a chapter's text, its links and what it names.

import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { slugify } from '../lib/links.mjs';
import { makeSyncedProject } from './fixture.mjs';

let trees = [];

function syncedProject() {
  trees.push(makeSyncedProject());
  return trees.at(-1);
}

afterEach(() => {
  trees.forEach((tree) => tree.remove());
  trees = [];
});

function assertFinding(result, pattern) {
  assert.ok(result.findings.some((line) => pattern.test(line)), `no finding like ${pattern} in\n${result.stdout}${result.stderr}`);
  assert.equal(result.status, 1);
}

// Each case: the change to the text of chapter 02, and the only finding it must give.
const formCases = [
  ['a text without a title', ['# Robust\n', 'Robust\n'], /:1: the text does not begin with its title/],
  ['a second title', ['## Why', '# More\n\n## Why'], /this is a second title/],
  ['a missing section', ['## What it costs', 'What it costs'], /the section "## What it costs" is missing; it belongs before "## What it still cannot do"/],
  ['a missing last section', ['## Read on\n', ''], /the section "## Read on" is missing; it belongs at the end/],
  ['an unknown section', ['## Practice', '## Extras\n\n## Practice'], /"## Extras" is no section of a chapter; the sections are/],
  ['a section twice', ['## Practice', '## Why\n\n## Practice'], /"## Why" is here a second time, after line/],
  ['no picture', ['```mermaid\n', '```text\n'], /"In plain words" has no picture/],
  ['too few questions to think', ['Why so?\n\n<details><summary>Answer</summary>\n\nBecause.\n\n</details>\n', ''], /"Think" has 2 questions/],
  ['too short a table', ['| this | that | `ps` |\n', ''], /this table has 4 rows; write at least 5/],
  ['no table', ['| --- | --- | --- |\n', ''], /"If you are confused" has no table/],
  ['a Predict without its command', [', or `./learn predict 2`', ''], /this section does not say what to type: name `\.\/learn predict 2` in it/],
  ['a Quiz with another chapter\'s command', ['`./learn quiz 2`', '`./learn quiz 20`'], /name `\.\/learn quiz 2` in it/],
  ['a Practice without its command', ['./learn practice 2\n', './learn test 2\n'], /name `\.\/learn practice 2` in it/],
  ['an open fold', ['Because.\n\n</details>', 'Because.\n'], /this <details> is never closed/],
  ['a stray end of a fold', ['Bugs.', 'Bugs.\n\n</details>'], /this <\/details> closes nothing/],
  ['no blank line after a summary', ['</summary>\n\nBecause', '</summary>\nBecause'], /no blank line follows <\/summary>/],
  ['a question that is not bold', ['**What is left of the child?**', 'What is left of the child?'], /the question is not bold/],
  ['two questions in one', ['- A. Nothing.', '\n**And?**\n\n- A. Nothing.'], /there are two bold questions/],
  ['a missing option letter', ['- B. An entry', '- D. An entry'], /this option should begin with "- B\. "/],
  ['too few options', ['- B. An entry in the process table.\n- C. Its memory.\n', '- B. An entry.\n'], /this question has 2 options; write at least 3/],
  ['an answer without its letter', ['**B.** The entry', 'The entry'], /the answer does not open with the right letter/],
  ['an answer that is no option', ['**B.** The entry', '**E.** The entry'], /the answer is E, which is no option/],
  ['a wrong option without a reason', [' Not C: memory goes at exit.', ''], /the answer does not say why C is wrong; add a sentence such as "Not C: \.\.\."/],
  ['a mention in place of a reason', ['Not A: somebody may ask.', 'A is wrong.'], /the answer does not say why A is wrong/],
  ['a reason in code', ['Not A: somebody may ask.', '`x. Not A: y.`'], /the answer does not say why A is wrong/],
  ['a reason without words', ['Not A: somebody may ask.', 'Not A:'], /"Not A:" gives no reason; say why A is wrong/],
  ['a reason against the right option', ['Not A: somebody may ask.', 'Not A: it may. Not B: it may.'], /the answer says "Not B", and B is the right one/],
  ['a reason against no option', ['Not A: somebody may ask.', 'Not A: it may. Not E: it may.'], /the answer says "Not E", which is no option/],
  ['a reason twice', ['Not A: somebody may ask.', 'Not A: it may. Not A and not C: they may.'], /the answer says twice why A is wrong/],
  ['a right answer without words', ['The entry keeps the exit status. ', ''], /the answer does not say why B is right/],
  ['another summary', ['<!-- quiz -->\n**What is left of the child?**\n- A. Nothing.\n- B. An entry in the process table.\n- C. Its memory.\n\n<details><summary>Answer<', '<!-- quiz -->\n**What is left of the child?**\n- A. Nothing.\n- B. An entry in the process table.\n- C. Its memory.\n\n<details><summary>Solution<'], /the fold of an answer begins with/],
];

for (const [name, [from, to], pattern] of formCases) {
  test(`form: ${name}`, () => {
    const tree = syncedProject();
    tree.edit('docs/02-robust.md', from, to);
    const result = tree.run('check');
    assertFinding(result, pattern);
    assert.ok(result.findings.every((line) => /^docs\/02-robust\.md:\d+: /.test(line)), result.stdout);
  });
}

test('form: sections out of order', () => {
  const tree = syncedProject();
  const text = tree.read('docs/02-robust.md');
  const costs = '## What it costs\nLittle.\n\n';
  tree.write('docs/02-robust.md', text.replace(costs, '').replace('## Practice', `${costs}## Practice`));
  const result = tree.run('check');
  assert.equal(result.findings.length, 1);
  assertFinding(result, /"## What it costs" is out of order; it belongs before "## If you are confused"/);
});

test('form: the first chapter has no Why, and its code is called The code', () => {
  const tree = syncedProject();
  tree.edit('docs/01-iterative.md', '## The code', '## Why\n\n## The diff');
  const result = tree.run('check');
  assertFinding(result, /"## Why" is no section/);
  assertFinding(result, /"## The diff" is no section/);
  assertFinding(result, /the section "## The code" is missing/);
});

test('form: too few, unpaired and unfolded questions of the quiz', () => {
  const tree = syncedProject();
  tree.edit('docs/02-robust.md', '<!-- /quiz -->\n', '');
  let result = tree.run('check');
  assertFinding(result, /this question has no <!-- \/quiz --> before the next one begins/);
  assertFinding(result, /the quiz has 3 questions; write 4 to 6/);
  tree.edit('docs/02-robust.md', '<!-- quiz -->\n', '');
  tree.edit('docs/02-robust.md', '<!-- quiz -->\n', '');
  result = tree.run('check');
  assertFinding(result, /this <!-- \/quiz --> has no <!-- quiz --> before it/);
});

test('form: two options may share a reason', () => {
  for (const words of ['Not A and not C: gone.', 'Not A, not C: gone.', 'Not C or\nnot A: gone. More.\n\nA child may ask.']) {
    const tree = syncedProject();
    tree.edit('docs/02-robust.md', 'Not A: somebody may ask. Not C: memory goes at exit.', words);
    assert.equal(tree.run('check').status, 0, words);
  }
});

test('a chapter without a text and a text without a chapter are findings', () => {
  const tree = syncedProject();
  tree.write('chapters/03-fork/server.cpp', 'int main() {}\n');
  tree.write('chapters/03-fork/CMakeLists.txt', 'add_chapter(server.cpp)\n');
  tree.write('tests/chapters/03-fork.cpp', '');
  tree.write('docs/09-select.md', '# Select\n');
  const result = tree.run('check');
  assertFinding(result, /^docs\/03-fork\.md:1: chapters\/03-fork has no text; write this file/);
  assertFinding(result, /^docs\/09-select\.md:1: there is no chapter chapters\/09-select/);
});

test('what lies beside a chapter or its sources, and is none, is no finding', () => {
  const tree = syncedProject();
  for (const folder of ['02-robust.orig', '03-mine', '04-todo']) tree.write(`chapters/${folder}/server.cpp`, 'int main() {}\n');
  for (const folder of ['02-robust.orig', '03-mine']) tree.write(`chapters/${folder}/CMakeLists.txt`, 'add_chapter(server.cpp)\n');
  for (const file of ['20-todo.txt', '02-robust/server.cpp~', '02-robust/server.cpp.orig', '02-robust/#server.cpp#', '02-robust/notes']) {
    tree.write(`chapters/${file}`, 'not of the chapter\n');
  }
  assert.deepEqual(tree.run('check').findings, []);
});

const linkCases = [
  ['[x](missing.md)', /leads to docs\/missing\.md, which does not exist/],
  ['![x](pictures/none.svg)', /leads to docs\/pictures\/none\.svg/],
  ['<img src="none.svg" alt="">', /leads to docs\/none\.svg/],
  ['[x](#nowhere)', /#nowhere leads to no heading of docs\/links\.md; its headings are #links, #a--b_1/],
  ['[x](02-robust.md#nowhere)', /leads to no heading of docs\/02-robust\.md/],
  ['[x](../common/fd.hpp#nowhere)', /is no Markdown; take the anchor out/],
  ['[x](../../outside.md)', /leads out of the project/],
  ['[x](/docs/02-robust.md)', /begins with a slash/],
  ['[x]()', /this link leads nowhere/],
  ['[x](ftp://example.org/)', /neither http nor https/],
  ['[x](https://)', /not well formed|no host/],
  ['[x](https://localhost/)', /no host's name/],
  ['[x](100%.md)', /has a % that is no escape/],
  ['[ref]: missing.md', /leads to docs\/missing\.md/],
];

for (const [text, pattern] of linkCases) {
  test(`links: ${text} is a finding`, () => {
    const tree = syncedProject();
    tree.write('docs/links.md', `# Links\n\n## A & B_1\n\n${text}\n`);
    const result = tree.run('check');
    assertFinding(result, new RegExp(`^docs/links\\.md:5: .*(?:${pattern.source})`));
    assert.equal(result.findings.length, 1);
  });
}

test('links: good ones, and those in code, are no findings', () => {
  const tree = syncedProject();
  tree.write(
    'docs/deep/links.md',
    `# Links

## The \`read()\` call, *twice*
## Same
## Same
<a id="own"></a>
[a](../02-robust.md "title") [b](../../README.md) [c](#the-read-call-twice) [d](#same-1) [e](#own)
[f](<../02-robust.md#why>) [g](../../chapters/) [h](../../common/fd.hpp#L3-L4) [over
two lines](../01-iterative.md) <https://example.org/a?b=c#d> [i](https://example.org/x_(y))
[j][ref] \`[k](missing.md)\` \`\`[l](missing.md) \` \`\` <!-- [m](missing.md) -->

[ref]: ../02-robust.md

\`\`\`
[n](missing.md)
\`\`\`
`,
  );
  assert.deepEqual(tree.run('check').findings, []);
});

test('headings become anchors as on GitHub', () => {
  assert.equal(slugify('What it costs'), 'what-it-costs');
  assert.equal(slugify('Predict, then watch'), 'predict-then-watch');
  assert.equal(slugify('The `read()` call & [a link](x.md): C++'), 'the-read-call--a-link-c');
  assert.equal(slugify('snake_case and _this_'), 'snake_case-and-this');
  assert.equal(slugify('Élan über 20 Jahre'), 'élan-über-20-jahre');
});

test('mentions: unknown commands, missing paths and missing tests are findings', () => {
  const tree = syncedProject();
  tree.edit(
    'docs/02-robust.md',
    'Bugs.',
    `Run \`./learn frobnicate 2\`.
See \`common/none.hpp\` and \`cat tests/none.cpp:12\`.
As \`test: "no such test"\` shows.
<!-- test 02-robust "no such marker" -->
<!-- test 01-iterative "the second client waits" -->
<!-- test nonsense -->
`,
  );
  const result = tree.run('check');
  assertFinding(result, /\.\/learn has no command "frobnicate" \(there is no tools\/learn\/frobnicate\.sh\)/);
  assertFinding(result, /`common\/none\.hpp` does not exist/);
  assertFinding(result, /`tests\/none\.cpp` does not exist/);
  assertFinding(result, /no file below tests\/ has a TEST_CASE "no such test"/);
  assertFinding(result, /no file below tests\/ has a TEST_CASE "no such marker"/);
  assertFinding(result, /the test "the second client waits" is in tests\/chapters\/02-robust\.cpp, not in 01-iterative\.cpp/);
  assertFinding(result, /cannot read this marker; write <!-- test/);
  assert.equal(result.findings.length, 7);
});

test('mentions: what exists, and patterns to fill in, are no findings', () => {
  const tree = syncedProject();
  tree.edit(
    'docs/02-robust.md',
    'Bugs.',
    'Run `./learn`, `./learn help`, `./learn trace 2`, `./learn COMMAND`.\n`common/fd.hpp:3`, `common/*.hpp`, `docs/NN-name.md`, `tests/bugs/<name>`, `test: "the second client waits"`.',
  );
  assert.deepEqual(tree.run('check').findings, []);
});

test('a document that cannot be read, or is not UTF-8, is a finding', () => {
  const tree = syncedProject();
  symlinkSync('nowhere', join(tree.root, 'docs/dangling.md'));
  writeFileSync(join(tree.root, 'docs/latin.md'), Buffer.from([0x23, 0x20, 0xe4, 0x0a]));
  const result = tree.run('check');
  assertFinding(result, /^docs\/dangling\.md:1: docs\/dangling\.md cannot be read \(ENOENT\)/);
  assertFinding(result, /^docs\/latin\.md:1: this file is not valid UTF-8/);
  assert.equal(result.findings.length, 2);
});

test('all findings are reported at once, sorted by file and line', () => {
  const tree = syncedProject();
  tree.edit('docs/02-robust.md', 'Bugs.', '[x](a.md)\n\n[y](b.md)');
  tree.write('docs/01-aaa.md', '# X\n[x](c.md)\n');
  const places = tree.run('check').findings.map((line) => line.split(': ')[0]);
  assert.equal(places.length, 4);
  assert.deepEqual(places.slice(0, 2), ['docs/01-aaa.md:1', 'docs/01-aaa.md:2']);
  assert.ok(places[2].startsWith('docs/02-robust.md:'));
});

test('mentions: a frame that a text sends to has the number and the event that the marker says', () => {
  const tree = syncedProject();
  tree.write('docs/replay/robust.json', '{"frames":[{"event":{"text":"the client connects"}},{"event":{"text":"read(4, \\"hi\\", 2) = 2"}}]}');
  const good = '<!-- replay robust 0 "the client" -->\n<!-- replay robust 1 "read(4, \\"hi" -->\n';
  tree.edit('docs/02-robust.md', 'Bugs.', good);
  assert.deepEqual(tree.run('check').findings, []);
  tree.edit(
    'docs/02-robust.md',
    good,
    `<!-- replay robust 1 "the client" -->
<!-- replay robust 2 "the client" -->
<!-- replay fork 0 "the client" -->
<!-- replay robust one "the client" -->
<!-- replay robust 1 -->
`,
  );
  const result = tree.run('check');
  assertFinding(result, /frame 1 of docs\/replay\/robust\.json is "read\(4, "hi", 2\) = 2" and does not begin with "the client"/);
  assertFinding(result, /docs\/replay\/robust\.json has frames 0 to 1/);
  assertFinding(result, /there is no recording docs\/replay\/fork\.json/);
  assertFinding(result, /cannot read this marker; write <!-- replay/);
  assert.equal(result.findings.length, 5);
});
