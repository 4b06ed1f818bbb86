// Whole loops of ./learn practice, through a pipe, as a learner goes them; and the cruel ways.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashOf, Progress } from '../progress.mjs';
import { Project } from './practice-project.mjs';

const copyFile = 'practice/03-fork-1/server.cpp';

const withProject = (name, work) => test(name, async () => {
  const project = new Project();
  try {
    await work(project);
  } finally {
    project.remove();
  }
});

const results = (project) => new Progress(project.root).entries.map(({ kind, id, result, number }) => `${kind} ${id} ${result} ${number}`);
const mend = (project) => project.change(copyFile, 'if (number', 'while (number');

withProject('a bug is begun, guessed at, mended and found', async (project) => {
  const begun = await project.practice(['3']);
  assert.equal(begun.code, 0);
  assert.match(begun.out, /^03-fork, bug 1 of 2\. Symptom: symptom of 1\nyour copy: practice\/03-fork-1\/server\.cpp\n/);
  assert.match(begun.out, /\nguess: \.\/learn practice guess FILE:LINE "what is wrong there"\n/);
  assert.equal(project.read(copyFile).match(/\/\//g).length, 1, 'the first line is the only comment');

  assert.match((await project.practice(['guess', 'server.cpp:5', 'not', 'there'])).out, /^noted: the right function, before any hint\n$/);
  assert.match((await project.practice(['guess', 'server.cpp:4', 'once'])).out, /^noted: the right place, before any hint\n$/);
  assert.match((await project.practice(['guess', 'server.cpp:10'], { input: 'the word\n' })).out, /noted: it is elsewhere, before any hint/);
  const hint = await project.practice(['hint']);
  assert.equal(hint.out, 'hint 1 of 3: question of 1?\n');

  const failing = await project.practice(['check']);
  assert.equal(failing.code, 1);
  assert.match(failing.err, /you have changed nothing yet/);
  project.change(copyFile, 'if (number > 0)', 'if (number > 1)');
  const still = await project.practice(['check']);
  assert.equal(still.code, 1);
  assert.match(still.out, /^still failing: it counts, all of it\n {2}tests\.cpp:1: FAILED:\n {4}CHECK\( it \)\nall that it says: /);

  mend(project);
  const found = await project.practice(['check'], { input: 'It counts all.\n' });
  assert.equal(found.code, 0, found.out + found.err);
  assert.match(found.out, /found, and all 2 tests of 03-fork pass\.\n/);
  assert.match(found.out, /-    if \(number > 0\) number -= 1;\n\+    while \(number > 1\) number -= 1;\n/, "the learner's change");
  assert.match(found.out, /-    if \(number > 0\) number -= 1;\n\+    while \(number > 0\) number -= 1;\n/, "the chapter's");
  assert.match(found.out, /Why does it work\? One sentence: It counts all\.\nnoted in practice\/03-fork-1\/notes\.md\nnext: \.\/learn practice 3 {3}\(bug 2\)\n$/);
  assert.match(project.read('practice/03-fork-1/notes.md'), /guess, server\.cpp:4 \(the right place, before any hint\): once\n[^]*why it works: It counts all\.\n$/);
  assert.deepEqual(results(project), ['bug 1 begun 0', 'guess 1 function 0', 'guess 1 place 0', 'guess 1 elsewhere 0', 'bug 1 found 1']);

  assert.match((await project.practice(['hint'])).out, /hint 3 of 3: the test that finds it: it counts, all of it\n/, 'hints after success');
  assert.equal((await project.practice(['check'])).code, 0);
  assert.equal(results(project).length, 5, 'found once');
  assert.match((await project.practice(['3'])).out, /^03-fork, bug 2 of 2\./);
});

withProject('an exercise fails until it is done, and a solution is shown to those who want it', async (project) => {
  const begun = await project.practice(['3', 'say']);
  assert.match(begun.out, /^03-fork, exercise "Say goodbye"\. Task: the server says goodbye\nyour copy: practice\/03-fork-say-goodbye\/server\.cpp\n/);
  assert.equal(project.read('practice/03-fork-say-goodbye/server.cpp'), project.read('chapters/03-fork/server.cpp'));
  assert.match((await project.practice(['guess', 'server.cpp:1', 'x'])).err, /has no planted bug to guess at/);
  project.change('practice/03-fork-say-goodbye/server.cpp', 'hello', 'hello and good bye');
  const failing = (await project.practice(['check'])).out;
  assert.match(failing, /^still failing: it says goodbye\n/);
  const [, command] = failing.match(/^all that it says: (SERVER='[^']+' build\/bin\/03-fork-tests 'it says goodbye')$/m) ?? [];
  assert.ok(command, `a command for a test that ./learn test does not know: ${failing}`);
  project.change('practice/03-fork-say-goodbye/server.cpp', 'good bye', 'goodbye');
  const done = await project.practice(['check'], { input: 'Two words.\ny\n' });
  assert.match(done.out, /done, and all 2 tests of 03-fork pass\./);
  assert.match(done.out, /see one solution beside yours\? \[y\/N\] y\n--- a\/chapters[^]*\+ {4}return "goodbye";/);
  assert.deepEqual(results(project), ['exercise say-goodbye begun 0', 'exercise say-goodbye done 0']);
});

withProject('what else is broken is named', async (project) => {
  await project.practice(['3']);
  mend(project);
  project.change(copyFile, 'hello', '');
  const broken = await project.practice(['check']);
  assert.equal(broken.code, 1);
  assert.match(broken.out, /something else does not any more\.[^]*\n- it greets\nwhat the first one says: \.\/learn test 3 --practice -R 'it greets'\n/);
  assert.deepEqual(results(project), ['bug 1 begun 0']);
});

withProject('a copy that does not compile gets the word of the compiler, on the copy', async (project) => {
  await project.practice(['3']);
  project.change(copyFile, 'if (number', 'no C++');
  const { code, err } = await project.practice(['check']);
  assert.equal(code, 1);
  assert.match(err, /your copy does not compile[^]*\npractice\/03-fork-1\/server\.cpp:4: error: that is no C\+\+|practice\/03-fork-1\/server\.cpp:4/);
});

withProject('twice the same goes on with the copy that is there', async (project) => {
  await project.practice(['3']);
  mend(project);
  const text = project.read(copyFile);
  for (const words of [['3'], ['3', '1'], []]) assert.match((await project.practice(words)).out, /^03-fork, bug 1 of 2\./);
  assert.equal(project.read(copyFile), text);
  assert.deepEqual(results(project), ['bug 1 begun 0']);
  await Promise.all([project.practice(['3', '2']), project.practice(['3', '2'])]);
  assert.deepEqual(readdirSync(join(project.root, 'practice')).filter((name) => name.startsWith('.new')), []);
  assert.ok(existsSync(join(project.root, 'practice/03-fork-2/server.cpp')));
});

withProject('giving up asks, shows the patch, and brings the bug back', async (project) => {
  await project.practice(['3']);
  const no = await project.practice(['give-up'], { input: 'n\n' });
  assert.equal(no.code, 1);
  assert.match(no.err, /nothing is given up/);
  assert.equal((await project.practice(['give-up'])).code, 1, 'no answer is no');
  const yes = await project.practice(['give-up'], { input: 'y\n' });
  assert.match(yes.out, /question of 1\?\nIt is in server\.cpp, in count\(\)\.[^]*\+    while \(number > 0\)/);
  assert.match((await project.practice(['3'])).out, /^03-fork, bug 2 of 2\./, 'others first');
  project.change('practice/03-fork-2/server.cpp', '""', '"hello"');
  assert.equal((await project.practice(['check'])).code, 0);
  assert.match((await project.practice(['3'])).out, /^Every bug of 03-fork is found or given up: 1 of 2 found\.\nThe first of them comes back on /, 'not at once');
  age(project);
  mend(project);
  const again = await project.practice(['3']);
  assert.match(again.out, /^03-fork, bug 1, comes back\. What you had is kept in practice\/03-fork-1\.kept-1\/\n/);
  assert.match(project.read('practice/03-fork-1.kept-1/server.cpp'), /while/);
  assert.match(project.read(copyFile), /if \(number/);
});

withProject('a reset asks, and keeps what was there', async (project) => {
  await project.practice(['3']);
  assert.match((await project.practice(['reset'])).out, /you have changed nothing yet/);
  mend(project);
  assert.equal((await project.practice(['reset'])).code, 1);
  assert.match(project.read(copyFile), /while/);
  assert.match((await project.practice(['reset'], { environment: { LEARN_YES: '1' } })).out, /what you had is kept in practice\/03-fork-1\.kept-1\//);
  mend(project);
  assert.match((await project.practice(['reset'], { input: 'yes\n' })).out, /kept in practice\/03-fork-1\.kept-2\//);
  assert.match(project.read(copyFile), /if/);
});

withProject('a chapter that has changed since is said, and the copy stays', async (project) => {
  await project.practice(['3']);
  project.change('chapters/03-fork/server.cpp', 'Greets.', 'Says hello.');
  const text = project.read(copyFile);
  assert.match((await project.practice([])).words, /\(03-fork has changed since your copy was made, which stays as it is\./);
  project.change('tests/bugs/03-fork/1.patch', 'if (number', 'if (1 < number');
  assert.match((await project.practice([])).words, /the patch of this bug has changed since/);
  assert.equal(project.read(copyFile), text);
  assert.match((await project.practice(['guess', 'server.cpp:4', 'x'])).out, /the right place/, 'by the patch of that day');
  project.change('chapters/03-fork/server.cpp', 'while', 'until');
  const refused = await project.practice(['reset'], { input: 'y\n' });
  assert.match(refused.err, /1\.patch does not fit chapters\/03-fork\/server\.cpp, which has been changed/);
  assert.equal(project.read(copyFile), text, 'what cannot be made anew is not put aside');
});

withProject('a torn record is mended, a torn .current is nothing begun, and no line is lost', async (project) => {
  await project.practice(['3']);
  mend(project);
  project.write('practice/03-fork-1/.practice/record.json', '{"chapter": "fo');
  assert.match((await project.practice([])).out, /record could not be read/);
  assert.equal((await project.practice(['check'])).code, 0);
  project.write('practice/.current', '03-fo');
  assert.match((await project.practice(['check'])).err, /no bug or exercise is begun: .*\.\/learn practice 3 1/);
  rmSync(join(project.root, 'practice/03-fork-1/.practice'), { recursive: true });
  assert.match((await project.practice(['3', '1'])).words, /is kept in practice\/03-fork-1\.kept-1\//);
  assert.match(project.read('practice/03-fork-1.kept-1/server.cpp'), /while/);
});

withProject('where nothing can be written, that is said', async (project) => {
  writeFileSync(join(project.root, 'practice'), 'a file in the way');
  const { code, err } = await project.practice(['3']);
  assert.equal(code, 1);
  assert.match(err, /^practice: cannot (write your copy|read practice\/): .*not a directory/);
});

withProject('wrong words are told the nearest right ones', async (project) => {
  for (const [words, code, part] of [
    [['check'], 1, /no bug or exercise is begun: begin with a chapter: \.\/learn practice 3/],
    [['chekc'], 2, /did you mean check\?/],
    [['gess', 'server.cpp:3', 'x'], 2, /did you mean guess\?/],
    [['3', '7'], 2, /03-fork has no bug '7' \(its bugs are 1 to 2; its exercises: say-goodbye\)/],
    [['3', 'say-godbye'], 2, /did you mean say-goodbye\?/],
    [['3', '1', '2'], 2, /'2' is one word too many/],
    [['frok'], 2, /did you mean 03-fork\?/],
    [['--mixed'], 2, /practice has no option --mixed/],
    [['--mix', '3'], 2, /'3' is one word too many/],
    [['list', '3', '4'], 2, /'4' is one word too many/],
    [['--mix'], 1, /no chapter is done yet/],
  ]) {
    const result = await project.practice(words);
    assert.equal(result.code, code, words.join(' '));
    assert.match(result.err, part);
  }
  await project.practice(['3']);
  for (const [words, code, part] of [
    [['check', '3'], 2, /'3' is one word too many/],
    [['guess'], 2, /guess what\?/],
    [['guess', 'server.cpp:99', 'x'], 2, /has lines 1 to 10, and no line 99/],
    [['guess', 'server.cpp:4'], 1, /nothing is noted/],
  ]) {
    const result = await project.practice(words);
    assert.equal(result.code, code, words.join(' '));
    assert.match(result.err, part);
  }
  assert.deepEqual(results(project), ['bug 1 begun 0']);
});

/** As if all that is in the journal had been done long ago. */
const age = (project) => project.write('.learn/progress.tsv', project.read('.learn/progress.tsv').replace(/^\d{4}-\S+Z/gm, '2020-01-01T12:00:00.000Z'));

withProject('--mix takes what is due of any chapter, bug or exercise, and then from the chapters that are done', async (project) => {
  project.write('build/.learn/03-fork', '2 0 0\n');
  assert.match((await project.practice(['--mix'])).out, /^03-fork, bug [12] of 2\./);
  rmSync(join(project.root, 'practice'), { recursive: true });
  rmSync(join(project.root, '.learn'), { recursive: true });
  await project.practice(['3', '2']);
  await project.practice(['give-up'], { environment: { LEARN_YES: '1' } });
  age(project);
  for (let times = 0; times < 3; times += 1) assert.match((await project.practice(['--mix'])).out, /bug 2(, comes back| of 2)/);
  new Progress(project.root).add({ chapter: 'fork', kind: 'test', id: 'all', hash: hashOf('x'), result: 'failed', number: 1 });
  assert.match((await project.practice(['--mix'])).out, /bug 2 of 2/, 'due, although the tests of its chapter fail');
  project.change('practice/03-fork-2/server.cpp', 'return ""', 'return "hello"');
  assert.equal((await project.practice(['check'])).code, 0);
  assert.match((await project.practice(['--mix'])).err, /no chapter is done yet/, 'the journal counts');
  await project.practice(['3', 'say']);
  await project.practice(['give-up'], { environment: { LEARN_YES: '1' } });
  age(project);
  project.write('tests/bugs/03-fork/2.patch', 'damaged');
  assert.match((await project.practice(['--mix'])).out, /exercise "Say goodbye", comes back/);
});

withProject('an exercise is begun by its title without quotes; a copy without a source is said', async (project) => {
  assert.match((await project.practice(['3', 'say', 'goodbye'])).out, /^03-fork, exercise "Say goodbye"/);
  await project.practice(['3', '1']);
  rmSync(join(project.root, copyFile));
  const { words: out } = await project.practice([]);
  assert.match(out, /your copy: practice\/03-fork-1\/, without a source \(as it was given: practice\/03-fork-1\/\.practice\/given\/\)/);
  assert.doesNotMatch(out, /undefined|\(\)/);
  assert.match((await project.practice(["guess", "server.cpp:3", "x"])).err.replace(/\s+/g, " "), /it has no source; as it was given: /);
});

withProject('the list says how far one is', async (project) => {
  await project.practice(['3']);
  mend(project);
  await project.practice(['check']);
  await project.practice(['3']);
  await project.practice(['give-up'], { environment: { LEARN_YES: '1' } });
  assert.equal((await project.practice(['list'])).out,
    '03-fork               bugs: 1 of 2 found, 1 given up; exercises: 0 of 1 done\ncurrent: ./learn practice 3 2, in practice/03-fork-2/\nwhat a chapter has: ./learn practice list 3\n');
  assert.match((await project.practice(['list', '3'])).out, /^- bug 1, found: symptom of 1\n- bug 2, given up: symptom of 2\n- exercise "Say goodbye", not begun: the server says goodbye\n/);
});

withProject('other commands are told the copy and its executable, compiled anew where it has changed', async (project) => {
  const ask = (...words) => project.practice(words, { tool: 'practice-copy' });
  assert.match((await ask()).err, /no bug or exercise is begun/);
  await project.practice(['3']);
  const executable = `${project.root}/practice/03-fork-1/.build/03-fork`;
  assert.equal((await ask()).out, `03-fork\tpractice/03-fork-1\tbegun\t${executable}\n`);
  mend(project);
  assert.equal((await ask('03-fork')).out, `03-fork\tpractice/03-fork-1\tbegun\t${executable}\n`);
  assert.match(project.read('practice/03-fork-1/.build/03-fork'), /while/);
  assert.equal((await ask('--no-build')).out, '03-fork\tpractice/03-fork-1\tbegun\n');
  assert.match((await ask('02-robust')).err, /the copy that is current is practice\/03-fork-1, of 03-fork; for one of 02-robust: \.\/learn practice 2/);
});

withProject('Ctrl-C ends a check with all that it has started, and loses nothing', async (project) => {
  await project.practice(['3']);
  mend(project);
  project.write('bin/hang', '');
  const { code, out } = await project.practice(['check'], {
    whileRunning: async (child) => {
      while (!existsSync(join(project.root, 'bin/hangs'))) await sleep(20);
      child.kill('SIGINT');
    },
  });
  assert.equal(code, 130);
  assert.equal(out, '');
  const pid = Number(project.read('bin/hangs'));
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  rmSync(join(project.root, 'bin/hang'));
  assert.equal((await project.practice(['check'])).code, 0);
});
