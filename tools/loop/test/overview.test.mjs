// ./learn and ./learn progress: what has been done, what is due, what is next; export and import.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { hashOfPatch, parsePatch } from '../practice/patch.mjs';
import { readLine } from '../progress.mjs';
import { readQuestions } from '../questions.mjs';
import { findNext, listDue, readStates, surveyChapters } from '../steps.mjs';
import { formatTable } from '../table.mjs';
import { makeBug, Project } from './project.mjs';

const root = new URL('../../..', import.meta.url).pathname;

let projects = [];
function makeProject(chapters) {
  projects.push(new Project(chapters));
  return projects.at(-1);
}
afterEach(() => {
  projects.forEach((project) => project.remove());
  projects = [];
});

const allPassed = '01-alpha\tpassed\t-\tone\n02-beta\tpassed\t-\ttwo\n03-gamma\tpassed\t-\tthree';

function survey(project, tests = '', cannot = '') {
  return surveyChapters(project.root, project.progress, readStates({ LEARN_TESTS: tests, LEARN_CANNOT: cannot }));
}

const next = (project, tests, cannot) => findNext(project.root, survey(project, tests, cannot));

// As the stock of a project has it (project.mjs).
const hashOfBug = (chapter, id) => hashOfPatch(parsePatch(makeBug(chapter, id), 'made up'));
const before = (chapter) => ({ '02-beta': 'alpha', '03-gamma': 'beta' })[chapter] ?? '-';
const predicted = (chapter, more = {}) => ({ chapter, kind: 'predict', id: `trace/one/${before(chapter)}/0123456789ab`, hash: '0123456789ab', result: 'right', number: 1, ...more });
const found = (chapter, more = {}) => ({ chapter, kind: 'bug', id: '1', hash: hashOfBug(chapter, more.id ?? '1'), result: 'found', number: 0, ...more });

function answerAll(project, chapter, result = 'right', more = {}) {
  for (const { id } of readQuestions(project.root, chapter).questions) project.note({ chapter, kind: 'quiz', id, hash: id, result, number: 1, ...more });
}

function finish(project, chapter) {
  project.note(predicted(chapter), found(chapter));
  answerAll(project, chapter);
}

test('the first thing is the first chapter, also when all tests have passed', () => {
  const project = makeProject();
  for (const tests of ['', allPassed]) {
    const { command, reason } = next(project, tests);
    assert.equal(command, 'read docs/01-alpha.md (and ./learn run 1), then ./learn predict 1');
    assert.match(reason, /^nothing of 01-alpha is noted yet/);
  }
  project.note({ chapter: '01-alpha', kind: 'test', id: 'all', result: 'passed' });
  assert.match(next(project, allPassed).command, /^read docs\/01-alpha\.md/, 'nor do tests in the journal begin a chapter');
});

test('the steps of a chapter come in their order: predict, quiz, test, practice, the next chapter', () => {
  const project = makeProject();
  const tests = '02-beta\tnot tested\t-\t';
  const commandOf = (states = tests) => next(project, states).command;
  project.note({ chapter: '02-beta', kind: 'guess', id: '1', result: 'place' });
  assert.equal(commandOf(), './learn predict 2');
  project.note(predicted('02-beta'));
  assert.equal(commandOf(), './learn quiz 2');
  const [first, second] = readQuestions(project.root, '02-beta').questions;
  project.note({ chapter: '02-beta', kind: 'quiz', id: first.id, hash: first.id, result: 'wrong', number: 2 });
  assert.equal(next(project, tests).reason, '1 of the 2 questions of 02-beta has not been asked yet');
  project.note({ chapter: '02-beta', kind: 'quiz', id: second.id, hash: second.id, result: 'right', number: 1 });
  assert.equal(commandOf(), './learn test 2');
  assert.match(next(project, tests).reason, /the tests of 02-beta have not run yet/);
  assert.equal(commandOf(allPassed), './learn practice 2');
  assert.match(next(project, allPassed).reason, /2 bugs wait for you/);
  project.note(found('02-beta', { result: 'begun' }));
  assert.equal(commandOf(allPassed), './learn practice 2');
  project.note(found('02-beta'));
  assert.equal(commandOf(allPassed), 'read docs/03-gamma.md (and ./learn diff 3), then ./learn predict 3');
  assert.equal(next(project, allPassed).reason, '02-beta is done');
  project.write('chapters/03-gamma/CMakeLists.txt', 'add_chapter(server.cpp SIDE_ROAD)\n');
  assert.equal(next(project, allPassed).reason, '02-beta is done; 03-gamma is a side road, which you may skip at first');
});

test('a question that has changed makes the quiz of its chapter the next thing', () => {
  const project = makeProject();
  finish(project, '01-alpha');
  assert.match(next(project, allPassed).command, /02-beta/);
  project.write('docs/01-alpha.md', project.read('docs/01-alpha.md').replace('- C. Nothing.', '- C. Nothing at all.'));
  assert.equal(next(project, allPassed).command, './learn quiz 1');
});

test('a chapter that was changed, and whose tests failed or have not run since, comes first', () => {
  const project = makeProject();
  project.note(predicted('01-alpha'));
  assert.deepEqual(next(project, '03-gamma\tfailed 1 of 2\tchanged\t'), { command: './learn test 3', reason: 'you have changed 03-gamma, and its tests failed 1 of 2' });
  assert.deepEqual(next(project, '03-gamma\tstale: passed\tchanged\t'), { command: './learn test 3', reason: 'you have changed 03-gamma since its tests have run' });
  for (const state of ['failed 1 of 2', 'stale: passed']) assert.equal(next(project, `03-gamma\t${state}\t-\t`).command, './learn quiz 1', 'unless it was not changed here');
});

test('what this machine cannot do is no step of it', () => {
  const project = makeProject();
  assert.match(next(project, '', 'predict').command, /then \.\/learn quiz 1$/);
  finish(project, '01-alpha');
  assert.match(next(project, '01-alpha\tskipped\t-\t').command, /docs\/02-beta/);
});

test('at the end it says what is left, and claims no more', () => {
  const project = makeProject();
  for (const chapter of ['01-alpha', '02-beta', '03-gamma']) finish(project, chapter);
  assert.deepEqual(next(project, allPassed), { command: './learn practice --mix', reason: 'each chapter has had its predictions, questions, tests and a bug; 3 bugs are left to find' });
  for (const chapter of ['01-alpha', '02-beta', '03-gamma']) project.note(found(chapter, { id: '2' }));
  assert.equal(next(project, allPassed).command, './learn progress');
});

test('who begins in the middle goes on there, and the earlier chapters come at the end', () => {
  const project = makeProject();
  finish(project, '02-beta');
  assert.match(next(project, allPassed).command, /03-gamma/);
  finish(project, '03-gamma');
  assert.match(next(project, allPassed).command, /01-alpha/);
});

test('what is due: wrong answers at once, right ones when their time has come, what is only begun never', () => {
  const project = makeProject();
  answerAll(project, '01-alpha', 'wrong');
  answerAll(project, '02-beta', 'right', { ago: 2 });
  answerAll(project, '03-gamma', 'right');
  project.note(found('01-alpha', { result: 'given-up', ago: 2 }), found('02-beta', { result: 'begun', ago: 9 }), predicted('03-gamma', { result: 'wrong' }));
  assert.deepEqual(listDue(survey(project)), ['4 questions (./learn quiz --mix)', '1 bug (./learn practice --mix)', '1 prediction (./learn predict 3)']);
});

test('a prediction is due of the command that asks it; where there are several, the first is named with its share', () => {
  const project = makeProject();
  const wrong = (id) => predicted('03-gamma', { result: 'wrong', id });
  project.note(wrong('packets/reset/beta/a'));
  assert.deepEqual(listDue(survey(project)), ['1 prediction (./learn predict 3 --packets --session reset)']);
  project.note(wrong('trace/one/beta/b'), wrong('trace/one/beta/c'), wrong('trace/one/alpha/d'), wrong('e'));
  assert.deepEqual(listDue(survey(project)), ['4 predictions (2 of them: ./learn predict 3)']);
});

test('a bug or an exercise is due as it is in the stock today, and a damaged patch stops nothing', async () => {
  const project = makeProject();
  const givenUp = { result: 'given-up', ago: 2 };
  project.note(found('01-alpha', { ...givenUp, id: '99' }), found('01-alpha', { ...givenUp, hash: '0123456789ab' }), found('02-beta', givenUp));
  project.note({ chapter: '02-beta', kind: 'exercise', id: 'gone', hash: '0123456789ab', ...givenUp });
  assert.deepEqual(listDue(survey(project)), ['1 bug (./learn practice --mix)']);
  assert.match((await project.run('overview', ['1'])).out, /\n- 1 given up; today there is another one of that name, or none\n/);
  project.write('tests/bugs/02-beta/1.patch', 'torn');
  project.write('tests/bugs/03-gamma/1.patch', '');
  assert.deepEqual(listDue(survey(project)), []);
  for (const command of ['list', 'overview']) assert.equal((await project.run(command)).code, 0);
});

test('the table: a line for each chapter, in forty columns, and with ideas where there is room', () => {
  const project = makeProject(['01-alpha', '02-signal-driven']);
  answerAll(project, '01-alpha', 'wrong');
  project.note(predicted('02-signal-driven'), found('02-signal-driven'));
  const chapters = survey(project, '01-alpha\tfailed 1 of 21\t-\ta loop\n02-signal-driven\tstale: failed\t-\ta signal for each event, and a word for each client');
  const narrow = formatTable(chapters, { width: 40, hasIdeas: true });
  assert.deepEqual(narrow, [
    'chapter          tests  pred. quiz bugs',
    '01-alpha         failed -     0/2  0/2',
    '02-signal-driven stale  1/1   -    1/2',
  ]);
  const wide = formatTable(chapters, { hasIdeas: true });
  assert.equal(wide[1], '01-alpha          failed 1 of 21  -        0/2   0/2   a loop');
  assert.match(formatTable(chapters, { width: 90, hasIdeas: true })[2], / {3}a signal for each event, and a…$/);
  assert.match(formatTable(chapters, { width: 80, isFull: true })[2], / 1\/2 {3}- {10}0$/);
});

test('./learn: the table, what is due, one next thing with its reason', async () => {
  const project = makeProject();
  answerAll(project, '01-alpha', 'wrong');
  const { code, out, err } = await project.run('list', [], { environment: { LEARN_TESTS: allPassed, LEARN_COLOUR: '', LEARN_COLUMNS: '40' } });
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^chapter/);
  assert.match(out, /\n\ndue from earlier: 2 questions \(\.\/learn\nquiz --mix\)\nnext: \.\/learn predict 1\n {6}you have begun 01-alpha, and\n {6}predicted nothing of it yet\n$/);
  assert.ok(out.split('\n').every((line) => line.length <= 40), out);
});

test('a journal with torn and foreign lines, or that cannot be read, stops nothing', async () => {
  const project = makeProject();
  project.note(predicted('01-alpha'));
  project.write('.learn/progress.tsv', `${project.read('.learn/progress.tsv')}\u0000\u0001\n2026-01-0`);
  const { code, out } = await project.run('list');
  assert.equal(code, 0);
  assert.match(out, /in \.learn\/progress\.tsv 2 lines cannot be read/);
  assert.match((await project.run('overview')).out, /2 more cannot be read, and are kept as they are; the first: '/);
  const other = makeProject();
  mkdirSync(join(other.root, '.learn/progress.tsv'), { recursive: true });
  const folder = await other.run('list');
  assert.equal(folder.code, 0);
  assert.match(folder.err, /cannot read what you have done so far/);
  assert.doesNotMatch(folder.out, /next:|nothing of/);
  assert.match(folder.out, /what you have done cannot be read, and so no next thing is named/);
  const table = await other.run('overview');
  assert.doesNotMatch(table.out, /due: nothing|nothing is noted/);
  assert.match(table.out, /\ncannot read what you have done so far, in .*progress\.tsv: /);
  const file = makeProject();
  file.write('.learn', 'a file in the way');
  assert.match((await file.run('list')).err, /cannot read what you have done so far/);
});

test('./learn progress: the table and what is due; of one chapter each question and bug', async () => {
  const project = makeProject();
  const empty = await project.run('overview');
  assert.match(empty.out, /\ndue: nothing\nnothing is noted yet; what you do will be kept in \.learn\/progress\.tsv\n$/);
  answerAll(project, '01-alpha', 'wrong');
  project.note(found('01-alpha', { number: 2 }), predicted('01-alpha', { result: 'wrong' }));
  const all = await project.run('overview', [], { environment: { LEARN_TESTS: allPassed } });
  assert.match(all.out, /^chapter +tests +predict +quiz +bugs +exercises +due\n01-alpha +passed +0\/1 +0\/2 +1\/2 +- +3\n/);
  const one = await project.run('overview', ['alpha'], { environment: { LEARN_TESTS: allPassed } });
  assert.match(one.out, /^01-alpha\ntests: passed\npredict: 0 of 1 prediction right\nquiz:\n- wrong, due: What of `alpha1` in \*this\* case\?\n/);
  assert.match(one.out, /\nbugs:\n- 1 found with 2 hints, due on \d{4}-\d\d-\d\d\n- 1 more not begun\n$/);
});

test('export and import: from one copy to another and back, each line once', async () => {
  const [here, there] = [makeProject(), makeProject()];
  here.note(predicted('01-alpha'));
  there.note(found('02-beta'));
  const text = (await here.run('overview', ['--export', '-'])).out;
  const first = await there.run('overview', ['--import', '-'], { input: text });
  assert.deepEqual([first.code, first.out], [0, '1 line added; 0 were here already\n']);
  assert.equal((await there.run('overview', ['--export', 'mine.tsv'])).code, 0);
  assert.equal((await here.run('overview', ['--import', join(there.root, 'mine.tsv')])).out, '1 line added; 1 was here already\n');
  assert.equal((await here.run('overview', ['--export', '-'])).out, there.read('mine.tsv'));
  assert.equal((await here.run('overview', ['--import', '-'], { input: there.read('mine.tsv').replaceAll('\n', '\r\n') })).out, '0 lines added; 2 were here already\n');
  assert.equal(here.progress.entries.length, 2);
});

test('an export is written over only by what has all its lines', async () => {
  const project = makeProject();
  project.note(predicted('01-alpha'));
  const run = (file) => project.run('overview', ['--export', file], { environment: { LEARN_FROM: join(project.root, 'docs') } });
  assert.equal((await run('../x.tsv')).code, 0);
  project.note(found('01-alpha'));
  assert.equal((await run('../x.tsv')).code, 0, 'an older one');
  assert.equal(project.read('x.tsv').trim().split('\n').length, 3);
  symlinkSync('x.tsv', join(project.root, 'link'));
  assert.equal((await run('../link')).code, 0);
  const foreign = makeProject();
  foreign.note(found('03-gamma'));
  const kept = (await foreign.run('overview', ['--export', '-'])).out;
  const cases = [
    ['x.tsv', kept, /is there already, and has 1 line that your journal has not: bring them here first/],
    ['x.tsv', 'a letter\n', /is there already, and is no journal of \.\/learn: name another file/],
  ];
  for (const [file, content, pattern] of cases) {
    project.write(file, content);
    const { code, err } = await run(`../${file}`);
    assert.equal(code, 1);
    assert.match(err, pattern);
    assert.equal(project.read(file), content);
  }
  assert.match((await run('.')).err, /is a folder/);
  assert.match((await run('none/x')).err, /cannot write none\/x: no such file or directory/);
  assert.match((await run('../.learn/progress.tsv')).err, /is the journal itself/);
  assert.match((await run('/dev/full')).err, /cannot write \/dev\/full: no space left/);
});

test('an import of what is no journal adds nothing; torn lines in one are kept and counted', async () => {
  const project = makeProject();
  const letter = await project.run('overview', ['--import', '-'], { input: 'Dear Sir,\n' });
  assert.deepEqual([letter.code, letter.err], [1, 'progress: what came on stdin is no journal of ./learn: it has 1 line, and none that can be read. Nothing is imported\n']);
  assert.ok(!project.exists('.learn'));
  const other = makeProject();
  other.note(predicted('01-alpha'));
  const torn = '2026-01-01T12:00:00.000Z\talpha\tdance\tx\t-\tright\t0';
  const { out } = await project.run('overview', ['--import', '-'], { input: `${other.read('.learn/progress.tsv')}${torn}\nno line\n` });
  assert.equal(out, '1 line added; 0 were here already\n2 lines cannot be read: 1 kept, and 1 left out, which do not begin as an entry does\n');
  assert.deepEqual(project.progress.unread, [torn]);
  assert.match((await project.run('overview', ['--import', 'none'])).err, /cannot read none: no such file or directory/);
  assert.match((await project.run('overview', ['--import', 'docs'])).err, /docs is a folder/);
  assert.equal((await project.run('overview', ['--import', '-'])).out, '0 lines added; 0 were here already\n');
});

test('where nothing can be written or read, nothing is imported or exported, in words', async (context) => {
  const project = makeProject();
  project.write('.learn/progress.tsv/x', '');
  const exported = await project.run('overview', ['--export', '-']);
  assert.deepEqual([exported.code, exported.out], [1, '']);
  assert.match(exported.err, /nothing is exported: cannot read what you have done so far/);
  if (process.getuid() === 0) return context.skip('root may write everywhere');
  const closed = makeProject();
  mkdirSync(join(closed.root, '.learn'));
  chmodSync(join(closed.root, '.learn'), 0o500);
  const other = makeProject();
  other.note(predicted('01-alpha'));
  const { code, err } = await closed.run('overview', ['--import', '-'], { input: other.read('.learn/progress.tsv') });
  assert.equal(code, 1);
  assert.match(err, /^progress: nothing is imported: cannot write down [^]*: permission denied\n$/);
});

for (const [words, pattern] of [
  [['--export'], /--export needs a value/],
  [['--export='], /--export needs a value/],
  [['--exprot', 'x'], /progress has no option --exprot; did you mean --export\?/],
  [['--export', 'x', '--import', 'y'], /one at a time/],
  [['1', '--export', 'x'], /leave '1' out/],
  [['1', '2'], /'2' is one word too many/],
  [['gmma'], /did you mean 03-gamma/],
]) {
  test(`progress ${words.join(' ')} is refused in words`, async () => {
    const { code, out, err } = await makeProject().run('overview', words);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, pattern);
  });
}

test('./learn test that has waited in vain advises the same command with more patience', () => {
  const project = makeProject();
  project.write('report', '<testcase name="03-fork/x" status="fail">\nwaited 5 s\n');
  const stubs = 'declare -A LEARN_COPY=([chapter]=03-fork [server]=x); paint() { printf %s "$2"; }; run_tests() { print_summary report 1; }; find_chapter() { echo 03-fork; }; '
    + 'is_chapter() { true; }; for name in find_build_folder need find_practice_copy build; do eval "$name() { :; }"; done';
  const { stdout } = spawnSync('bash', ['-uc', `source '${root}tools/learn/test.sh'; ${stubs}; main 3 --practice`], { cwd: project.root, encoding: 'utf8', env: { ...process.env, CI: '', PATIENCE: '' } });
  assert.match(stdout, /slow or busy: PATIENCE=30 \.\/learn test 3 --practice\n/);
});

test('./learn test writes the same lines, with the same head, after a torn one too', () => {
  const project = makeProject();
  project.write('report', '<testcase name="01-alpha/x" status="run">\n<testcase name="02-beta/x" status="fail">\n<testcase name="03-gamma/x" status="notrun">\n<testcase name="common/x" status="run">\n');
  const record = () => spawnSync('bash', ['-euc', `source '${root}tools/learn/test.sh'; mkdir -p build/.learn; touch started; record_results report started`], { cwd: project.root, encoding: 'utf8' });
  assert.deepEqual([record().status, record().stderr], [0, '']);
  const [head] = project.read('.learn/progress.tsv').split('\n');
  const other = makeProject();
  other.note(predicted('01-alpha'));
  assert.equal(head, other.read('.learn/progress.tsv').split('\n')[0]);
  writeFileSync(join(project.root, '.learn/progress.tsv'), '2026-01-0', { flag: 'a' });
  record();
  const { entries, unread } = project.progress;
  assert.deepEqual(entries.map(({ chapter, kind, id, result, number }) => [chapter, kind, id, result, number].join(' ')), Array(3).fill(['alpha test all passed 0', 'beta test all failed 1']).flat());
  assert.deepEqual(unread, ['2026-01-0']);
  assert.equal(readLine(project.read('.learn/progress.tsv').split('\n')[1]).chapter, 'alpha');

});
