// How the book is built: what is refused, what is kept, what is taken away; and the command that builds and serves it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildBook } from '../lib/build.mjs';
import { serveFolder } from '../lib/server.mjs';
import { makeFolder } from './support.mjs';

const program = fileURLToPath(new URL('../book.mjs', import.meta.url));

const readme = `# Two servers

| chapter | one idea | why |
| --- | --- | --- |
| **Part I. First** | | |
| [01 One](docs/01-one.md) | an idea | |
| [02 Two](docs/02-two.md) | another | the first is short |
`;

const question = `<!-- quiz -->
**What is left?**
- A. Nothing.
- B. Something.
- C. Everything.

<details><summary>Answer</summary>

**B.** So it is. Not A: there is more. Not C: there is less.

</details>
<!-- /quiz -->
`;

const diff = `<!-- diff server.cpp fn:main -->
\`\`\`diff
@@ -3,3 +3,3 @@ int main()
 int main() {
-    return 1;
+    return 2;
 }
\`\`\`
`;

/** A project of two chapters; `changes` are other contents of its files, null for a file that is not there. */
function makeProject(t, changes = {}) {
  const root = makeFolder(t);
  const server = (number) => `// Chapter 0${number}: an idea.\n\nint main() {\n    return ${number};\n}\n`;
  const files = {
    'README.md': readme,
    'docs/01-one.md': `# 01 One\n\nA word, and [the other](02-two.md#why).\n\n${question}`,
    'docs/02-two.md': `# 02 Two\n\n## Why\n\n${diff}`,
    'docs/glossary.md': '# Glossary\n\n**accept queue**: connections that wait. [01](01-one.md)\n',
    ...Object.fromEntries([1, 2].flatMap((number) => {
      const name = number === 1 ? '01-one' : '02-two';
      return [[`chapters/${name}/server.cpp`, server(number)], [`chapters/${name}/CMakeLists.txt`, 'add_chapter(server.cpp)\n'], [`tests/chapters/${name}.cpp`, 'TEST_CASE("it works") {\n}\n']];
    })),
    ...changes,
  };
  for (const [path, text] of Object.entries(files)) if (text !== null) write(root, path, text);
  return root;
}

function write(root, path, text) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const build = (root, folder = join(root, 'out')) => buildBook(root, folder, { cache: join(root, 'cache') });

test('a project becomes a book, with its texts, its code and its differences', async (t) => {
  const root = makeProject(t);
  const { pages, isKept } = await build(root);
  assert.ok(pages > 10 && !isKept);
  const page = (path) => readFileSync(join(root, 'out', path), 'utf8');
  assert.match(page('01-one.html'), /<a href="02-two.html#why">the other<\/a>/);
  assert.match(page('02-two.html'), /<div class="d" data-o=4>-    <i class=k>return <\/i>/);
  assert.match(page('diff/01-one/02-two.html'), /<h1>From 01 One to 02 Two<\/h1>/);
  assert.match(page('code/chapters/01-one/server.cpp.html'), /<a id="fn-main"><\/a>/);
  assert.ok(existsSync(join(root, 'out/assets/book.js')));
});

test('where nothing has changed nothing is built; a change writes what it concerns, and takes away what is gone', async (t) => {
  const root = makeProject(t, { 'docs/extra.md': '# Extra\n\nWords.\n' });
  await build(root);
  assert.ok((await build(root)).isKept);
  const before = statSync(join(root, 'out/02-two.html')).mtimeMs;
  write(root, 'docs/01-one.md', `# 01 One\n\nAnother word.\n\n${question}`);
  const { isKept, written } = await build(root);
  assert.ok(!isKept && written >= 1 && written < 5, `${written} files`);
  assert.equal(statSync(join(root, 'out/02-two.html')).mtimeMs, before);
  rmSync(join(root, 'docs/extra.md'));
  await build(root);
  assert.equal(existsSync(join(root, 'out/extra.html')), false);
  rmSync(join(root, 'out/01-one.html'));
  await build(root);
  assert.ok(existsSync(join(root, 'out/01-one.html')), 'what a reader has removed comes back');
});

test("a folder with another's files is refused and left alone; one in which a build has ended early is not", async (t) => {
  const root = makeProject(t);
  write(root, 'mine/letter.txt', 'dear');
  await assert.rejects(build(root, join(root, 'mine')), /has files that are none of the book's; name an empty folder/);
  assert.equal(readFileSync(join(root, 'mine/letter.txt'), 'utf8'), 'dear');
  await assert.rejects(build(root, join(root, 'README.md')), /is no folder/);
  const broken = makeProject(t, { 'docs/01-one.md': '# 01 One\n\n[gone](gone.md)\n' });
  await assert.rejects(build(broken));
  write(broken, 'docs/01-one.md', '# 01 One\n');
  await build(broken);
});

test('a text that is not right ends the build, and the message says where and what to do', async (t) => {
  const refuses = async (changes, form) => assert.rejects(build(makeProject(t, changes)), form);
  await refuses({ 'docs/01-one.md': '# 01 One\n\n[gone](gone.md)\n' }, /docs\/01-one.md: the link gone.md leads to docs\/gone.md, which is no page of the book and no file/);
  await refuses({ 'docs/02-two.md': `# 02 Two\n\n${diff.replace('return 2', 'return 3')}` }, /docs\/02-two.md:\d+: the fence under this marker is stale.*run tools\/docs\/docs sync/);
  await refuses({ 'docs/01-one.md': `# 01 One\n\n${question.replace('Not C: there is less.', '')}` }, /docs\/01-one.md:\d+: the answer does not say why C is wrong/);
  await refuses({ 'docs/01-one.md': '# 01 One\n\n```mermaid\nflowchart LR\n  a["x"] --> b["y"]\n```\n' }, /is not drawn yet \(docs\/diagrams\/[0-9a-f]{12}\.svg\); run tools\/book\/draw/);
  await refuses({ 'docs/02-two.md': null }, /docs\/02-two.md/);
  await refuses({ 'README.md': readme.replace(/\| \[02.*\n/, '') }, /the table of README.md has no row for 02-two/);
  await refuses({ 'README.md': '# No table\n' }, /README.md has no table of the chapters/);
});

test('the server gives what is in its folder, and nothing from outside', async (t) => {
  const folder = makeFolder(t);
  write(folder, 'site/index.html', 'first');
  write(folder, 'site/a/page.html', 'page');
  write(folder, 'site/.book.json', '{}');
  write(folder, 'secret.txt', 'secret');
  const server = await serveFolder(join(folder, 'site'));
  t.after(() => server.close());
  const get = async (path, options) => {
    const response = await fetch(server.address + path, options);
    return `${response.status} ${await response.text()}`;
  };
  assert.match(server.address, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  assert.equal(await get(''), '200 first');
  assert.equal(await get('a/page'), '200 page');
  assert.equal(await get('a/page.html?x=1'), '200 page');
  assert.match(await get('%2e%2e/secret.txt'), /^404/);
  assert.match(await get('..%2fsecret.txt'), /^404/);
  assert.match(await get('.book.json'), /^404/);
  assert.match(await get('%'), /^404/);
  assert.match(await get('', { method: 'POST' }), /^405/);
});

test('the command prints the address, serves, and ends when it is told to', async (t) => {
  const root = makeProject(t);
  const child = spawn(process.execPath, [program], { env: { ...process.env, LEARN_ROOT: root }, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    said += text;
    if (said.includes('\n')) break;
  }
  const address = /^the book is at (http:\/\/127\.0\.0\.1:\d+\/) \(Ctrl-C ends it\)\n$/.exec(said)?.[1];
  assert.ok(address, said);
  assert.match(await (await fetch(address)).text(), /<h1 id="two-servers">Two servers/);
  child.kill('SIGTERM');
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
});

test('the command refuses what it cannot do, in words', async (t) => {
  const root = makeProject(t);
  const run = (...words) => spawnSync(process.execPath, [program, ...words], { env: { ...process.env, LEARN_ROOT: root, LEARN_FROM: root }, encoding: 'utf8' });
  for (const [words, form] of [[['--port', 'x'], /--port takes a number/], [['--port', '70000'], /--port takes a number/], [['--port', '1', '--build', 'x'], /takes no --port/], [['--build='], /--build needs a folder/], [['--no'], /Unknown option/]]) {
    const { status, stderr } = run(...words);
    assert.equal(status, 2, words.join(' '));
    assert.match(stderr, form);
    assert.match(stderr, /usage: \.\/learn book/);
  }
  const built = run('--build', 'elsewhere');
  assert.equal(built.status, 0, built.stderr);
  assert.equal(built.stdout, `${join(root, 'elsewhere')}\n`);
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { status, stderr } = run('--port', String(holder.address().port));
  holder.close();
  assert.equal(status, 1);
  assert.match(stderr, /another program has that port; leave --port out/);
});
