// The book in a real browser: what a reader does with it, on a desk, on a phone, on paper, and without JavaScript.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { listFiles, makeFolder, openBook, root, site } from './support.mjs';

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const files = listFiles(site).filter((path) => path.endsWith('.html'));
const phone = { viewport: { width: 390, height: 844 } };

let book;
before(async () => {
  book = await openBook();
});
after(() => book?.close());

/** Visits pages one after the other; returns what went wrong on them, and which of them scroll sideways. */
async function walk(opened, paths, address, options) {
  const { page, context, faults } = await opened.open(undefined, options);
  for (const path of paths) {
    await page.goto(address + path, { waitUntil: 'load' });
    const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    if (wide > shown) faults.push(`${path} is ${wide} pixels wide, and the screen ${shown}`);
  }
  await context.close();
  return faults;
}

// All texts and tools, and of differences and sources a few of each kind; with BOOK_ALL=1 every page.
function choosePages() {
  if (process.env.BOOK_ALL === '1') return files;
  const isMany = (path) => /^(code|diff|replay)\//.test(path) && !['code/index.html', 'diff/index.html', 'replay/index.html'].includes(path);
  return files.filter((path, index) => !isMany(path) || index % 20 === 0);
}

test('no page has an error in the console, a request that fails, a request elsewhere, or scrolls sideways on a phone', async () => {
  const pages = choosePages();
  assert.ok(pages.length > 90, `${pages.length} pages`);
  const half = Math.ceil(pages.length / 2);
  const faults = await Promise.all([pages.slice(0, half), pages.slice(half)].map((part) => walk(book, part, book.address, phone)));
  assert.deepEqual(faults.flat(), []);
});

test('the frames of a recording without a script do not make a phone scroll sideways', async () => {
  const pages = files.filter((path) => path.startsWith('replay/'));
  assert.ok(pages.length > 40, `${pages.length} pages`);
  assert.deepEqual(await walk(book, pages, book.address, { ...phone, javaScriptEnabled: false }), []);
});

test('such faults are seen: an error, a script that is not there, a request elsewhere, a wide page', async (t) => {
  const folder = makeFolder(t);
  const write = (name, body) => writeFileSync(join(folder, name), `<!doctype html><title>x</title><link rel=icon href="data:,">${body}`);
  write('error.html', '<script>console.error("planted")</script>');
  write('throws.html', '<script>missing()</script>');
  write('gone.html', '<script src="gone.js"></script>');
  write('elsewhere.html', '<img src="http://127.0.0.1:9/x.png" alt="">');
  write('wide.html', '<div style="width:2000px">x</div>');
  write('good.html', '<p>x</p>');
  const other = await openBook(folder);
  try {
    for (const name of ['error', 'throws', 'gone', 'elsewhere', 'wide']) assert.notDeepEqual(await walk(other, [`${name}.html`], other.address, phone), [], name);
    assert.deepEqual(await walk(other, ['good.html'], other.address, phone), []);
  } finally {
    await other.close();
  }
});

test('the book works at any address: below a folder, as a code host serves it', async () => {
  const other = await openBook(dirname(site));
  try {
    const { page, faults } = await other.open(`${basename(site)}/diff/index.html#01-iterative/02-robust`);
    await page.waitForSelector('#result .diff');
    await page.click('#result .note a');
    await page.waitForURL('**/code/chapters/**');
    await page.fill('.find input', 'epoll_wait');
    await page.waitForSelector('.find .found li');
    await page.click('.home');
    await page.waitForURL(`**/${basename(site)}/index.html`);
    assert.deepEqual(faults, []);
  } finally {
    await other.close();
  }
});

test('the next chapter is reached by a click and by a key, and the one before as well', async () => {
  const { page, context, faults } = await book.open('13-epoll.html');
  await page.click('.neighbours a[rel=next]');
  await page.waitForURL('**/14-epoll-edge.html');
  await page.keyboard.press('ArrowRight');
  await page.waitForURL('**/15-turns.html');
  await page.keyboard.press('ArrowLeft');
  await page.waitForURL('**/14-epoll-edge.html');
  await page.click('#contents a[href="13-epoll.html"]');
  await page.waitForURL('**/13-epoll.html');
  assert.deepEqual(faults, []);
  await context.close();
});

// Where the first removed and the first added line of a changed run stand.
const placeOfRows = (page) => page.evaluate(() => {
  const [removed, added] = ['d', 'a'].map((name) => document.querySelector(`figure.diff .run.ch .${name}`).getBoundingClientRect());
  return { isBeside: added.left > removed.right - 5 && Math.abs(added.top - removed.top) < 3, isBelow: added.top >= removed.bottom - 1 };
});

test('a diff stands side by side, and in one column when the reader says so; the choice is kept', async () => {
  const { page, context, faults } = await book.open('13-epoll.html');
  assert.ok((await placeOfRows(page)).isBeside);
  await page.locator('figure.diff button.views').first().click();
  assert.ok((await placeOfRows(page)).isBelow);
  await page.goto(`${book.address}14-epoll-edge.html`);
  assert.ok((await placeOfRows(page)).isBelow);
  await page.locator('figure.diff button.views').first().focus();
  await page.keyboard.press('Enter');
  assert.ok((await placeOfRows(page)).isBeside);
  assert.deepEqual(faults, []);
  await context.close();
});

test('a diff is in one column on a phone', async () => {
  const { page, context } = await book.open('13-epoll.html', phone);
  assert.ok((await placeOfRows(page)).isBelow);
  assert.equal(await page.locator('figure.diff button.views').first().isVisible(), false);
  await context.close();
});

test('without JavaScript: diffs toggle, an option has its own reason, folds open, and the rest says what it needs', async () => {
  const { page, context } = await book.open('13-epoll.html', { javaScriptEnabled: false });
  const label = page.locator('figure.diff label.views').first();
  const box = () => page.locator('figure.diff .run.ch .a').first().boundingBox();
  const beside = await box();
  await label.click();
  assert.notEqual((await box()).x, beside.x);
  await page.locator('#split').focus();
  await page.keyboard.press('Space');
  assert.equal((await box()).x, beside.x, 'the keys do it, too');
  const option = page.locator('.quiz .option.wrong').first();
  assert.equal(await option.locator('.reply').isVisible(), false);
  await option.locator('summary').click();
  assert.match(await option.locator('.reply').innerText(), /^Wrong\.\s+\S.{8,}/);
  await page.goto(`${book.address}diff/index.html`);
  assert.match(await page.locator('noscript, main').first().innerText(), /needs JavaScript/);
  await page.goto(`${book.address}search.html`);
  assert.match(await page.locator('main').innerText(), /needs JavaScript/);
  await context.close();
});

async function search(page, words) {
  await page.fill('.find input', '');
  await page.fill('.find input', words);
  await page.waitForFunction((text) => document.querySelector('.find .found').dataset.query === text && document.querySelector('.find .found li, .find .found p'), words);
  return page.locator('.find .found li').evaluateAll((items) => items.map((item) => ({ href: item.querySelector('a').getAttribute('href'), text: item.innerText })));
}

test('the search finds a term, a system call and a function, and not what only a diff says', async () => {
  const { page, context, faults } = await book.open('03-fork.html');
  await page.keyboard.press('/');
  const terms = await search(page, 'level-triggered');
  assert.ok(terms.some(({ href }) => href.startsWith('13-epoll.html') || href.startsWith('10-select.html')), JSON.stringify(terms.slice(0, 3)));
  const [call] = await search(page, 'epoll_wait');
  assert.match(call.text, /^epoll_wait\(\)\s+system call, called in chapters 13/);
  assert.match(call.href, /^code\/chapters\/13-epoll\/server\.cpp\.html#L\d+$/);
  const functions = await search(page, 'awaited_events');
  assert.match(functions[0].text, /function or type, defined in chapters? 11/);
  assert.deepEqual(await search(page, 'zzzznothing'), []);
  // In the text of chapter 13 this stands in diffs only.
  assert.deepEqual((await search(page, 'pop_back')).filter(({ href }) => href.startsWith('13-epoll.html')), []);
  const [first] = await search(page, 'epoll_wait');
  await page.click('.find .found li a');
  await page.waitForURL(`**/${first.href}`);
  assert.deepEqual(faults, []);
  await context.close();
});

test('a quiz that is answered wrongly shows the reason of that answer, and both are noted as ./learn notes them', async () => {
  const { page, context, faults } = await book.open('13-epoll.html');
  const quiz = page.locator('.quiz').first();
  await quiz.locator('.option.wrong summary').first().click();
  assert.match(await quiz.locator('.option.wrong .reply').first().innerText(), /^Wrong\.\s+\S/);
  await quiz.locator('.option.right summary').click();
  assert.match(await quiz.locator('.option.right .reply').innerText(), /^Right\.\s+\S/);
  const second = page.locator('.quiz').nth(1);
  await second.locator('.option.right summary').click();
  await page.waitForFunction(() => (localStorage.getItem('book-progress') ?? '').split('\n').filter(Boolean).length === 2);
  const lines = await page.evaluate(() => localStorage.getItem('book-progress'));
  const { readLine } = await import('../../loop/journal.mjs');
  const { readQuestions } = await import('../../loop/questions.mjs');
  const entries = lines.trim().split('\n').map(readLine);
  const { questions } = readQuestions(root, '13-epoll');
  assert.deepEqual(entries.map(({ chapter, kind, id, hash, result }) => [chapter, kind, id, hash, result]),
    [['epoll', 'quiz', questions[0].id, questions[0].id, 'wrong'], ['epoll', 'quiz', questions[1].id, questions[1].id, 'right']]);
  await page.goto(`${book.address}progress.html`);
  const row = page.locator('tr[data-chapter=epoll]');
  assert.match(await row.innerText(), new RegExp(`2 of ${questions.length}\\s+1\\s+1`));
  assert.deepEqual(faults, []);
  await context.close();
});

test('progress is exported in lines that ./learn reads, and imported once', async (t) => {
  const { page, context } = await book.open('progress.html');
  const line = '2026-01-31T12:00:00.000Z\tfork\tbug\t1\t-\tfound\t0';
  const file = join(makeFolder(t), 'mine.tsv');
  writeFileSync(file, `# a comment\n${line}\n2026-01-31T12:00:01.000Z torn\nno line\n`);
  await page.setInputFiles('#import', file);
  await page.waitForFunction(() => document.querySelector('#carried').textContent !== '');
  assert.equal(await page.textContent('#carried'), '1 lines added, 0 were here already, 2 cannot be read.');
  assert.match(await page.locator('tr[data-chapter=fork]').innerText(), /bug 1/);
  await page.setInputFiles('#import', file);
  await page.waitForFunction(() => document.querySelector('#carried').textContent.startsWith('0 lines'));
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
  const text = readFileSync(await download.path(), 'utf8');
  assert.ok(text.startsWith('# What you have done, for ./learn'));
  assert.ok(text.includes(`${line}\n`));
  const { Journal } = await import('../../loop/journal.mjs');
  assert.deepEqual(new Journal(text).entries.map(({ chapter, kind, result }) => [chapter, kind, result]), [['fork', 'bug', 'found']]);
  await context.close();
});

test('any two chapters are compared in the page, and neighbours as on their own page', async () => {
  const { page, context, faults } = await book.open('diff/index.html');
  await page.selectOption('select[name=from]', '11-poll');
  await page.selectOption('select[name=to]', '13-epoll');
  await page.click('#choose button');
  await page.waitForSelector('#result .diff');
  const made = await page.$$eval('#result .d, #result .a', (rows) => rows.map((row) => row.className + row.textContent));
  await page.goto(`${book.address}diff/11-poll/13-epoll.html`);
  const built = await page.$$eval('main .d, main .a', (rows) => rows.map((row) => row.className + row.textContent));
  assert.ok(built.length > 100);
  assert.deepEqual(made, built);
  await page.goto(`${book.address}diff/index.html#53-per-core/02-robust`);
  await page.waitForSelector('#result .diff');
  assert.match(await page.textContent('#result .files'), /runtime\/worker\.hpp\s*gone/);
  assert.deepEqual(faults, []);
  await context.close();
});

test('an upgrade beside the one before: each side keeps to its room, on any screen, and it is said how the servers were started', async () => {
  for (const width of [1700, 1440, 1300, 1150]) {
    const { page, context, faults } = await book.open('replay/overlap.html#frame-96', { viewport: { width, height: 900 } });
    await page.locator('.replay-bar').waitFor();
    assert.deepEqual(await page.locator('.replay-start').allTextContents(), ['56-handover', '57-overlap'].map((name) => `${name}: The server was started with --workers 1 --upgrade-timeout 600000.`));
    const outside = await page.evaluate(() => [...document.querySelectorAll('.replay-side')].flatMap((side) => [...side.querySelectorAll('table')]
      .filter((table) => table.getBoundingClientRect().right > side.getBoundingClientRect().right + 1).map((table) => table.caption.textContent)));
    assert.deepEqual(outside, [], `${width} pixels`);
    assert.deepEqual(faults, []);
    await context.close();
  }
});

test('a recording is stepped through by buttons, keys and links, to the end that was recorded; what comes next is hidden until it is chosen', async () => {
  const { frames } = JSON.parse(readFileSync(join(root, 'docs/replay/epoll.json'), 'utf8'));
  const { page, context, faults } = await book.open('replay/epoll.html#frame-22');
  // The later chapter of the two is the page's own.
  const here = page.locator('.replay-side').last();
  const stands = async (number, words) => {
    await page.waitForFunction((name) => document.querySelector('.replay-side:last-child .replay-title')?.textContent.includes(name), `frame ${number} of ${frames.length - 1}`);
    assert.match(await here.locator('.replay-event').textContent(), words);
    assert.equal(new URL(page.url()).hash, `#frame-${number}`);
  };
  await stands(22, /the second client sends/);
  await page.getByRole('button', { name: 'one frame on' }).click();
  await stands(23, /epoll_wait\(4, \[\{events=EPOLLIN, data=\{u32=6/);
  await page.keyboard.press('ArrowLeft');
  await stands(22, /the second client sends/);
  // The question is there, and the answer is not.
  await page.keyboard.press('p');
  await page.keyboard.press('ArrowRight');
  await page.locator('.replay-options').waitFor();
  await stands(22, /the second client sends/);
  assert.equal(await page.getByRole('button', { name: 'one frame on' }).isDisabled(), true);
  await page.locator('.replay-option').first().click();
  assert.equal(await page.locator('.replay-right').count(), 1);
  await page.keyboard.press('ArrowRight');
  await stands(23, /epoll_wait/);
  await page.keyboard.press('p');
  await page.keyboard.press('End');
  await stands(frames.length - 1, /epoll_wait/);
  assert.deepEqual(faults, []);
  await context.close();
});

test('a name in a sentence, in the code and in the trace are tied, and lead to each other', async () => {
  const { page, context } = await book.open('13-epoll.html');
  const tie = page.locator('article p a.tie[data-t=epoll_wait]').first();
  await tie.hover();
  const lit = await page.$$eval('.lit', (all) => all.map((one) => [one.dataset.t, one.closest('.session') ? 'trace' : one.closest('figure') ? 'code' : 'text']));
  assert.ok(lit.every(([name]) => name === 'epoll_wait'));
  for (const kind of ['trace', 'code', 'text']) assert.ok(lit.some(([, place]) => place === kind), kind);
  await tie.click();
  assert.match(page.url(), /#code-epoll_wait$/);
  await page.click('#code-epoll_wait');
  assert.match(page.url(), /#trace-epoll_wait$/);
  await page.click('#trace-epoll_wait');
  assert.match(page.url(), /#code-epoll_wait$/);
  await context.close();
});

test('a term of the glossary explains itself when it is pointed at and when it has the focus', async () => {
  const { page, context } = await book.open('13-epoll.html');
  const term = page.locator('a.term', { hasText: 'interest list' }).first();
  await term.hover();
  assert.match(await page.textContent('#explanation'), /epoll/);
  await page.mouse.move(0, 0);
  assert.equal(await page.isVisible('#explanation'), false);
  await term.focus();
  assert.ok(await page.isVisible('#explanation'));
  await context.close();
  const plain = await book.open('13-epoll.html', { javaScriptEnabled: false });
  assert.match(await plain.page.locator('a.term').first().getAttribute('title'), /\w{4}/);
  await plain.context.close();
});

test('light and dark follow the system, and then the reader', async () => {
  const { page, context } = await book.open('13-epoll.html', { colorScheme: 'dark' });
  const brightness = () => page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)[0]));
  assert.ok(await brightness() < 60);
  await page.click('.theme');
  assert.ok(await brightness() > 200);
  await page.goto(`${book.address}14-epoll-edge.html`);
  assert.ok(await brightness() > 200);
  await context.close();
});

test('on paper there is the text alone, and everything is open', async () => {
  const { page, context } = await book.open('13-epoll.html');
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.isVisible('.bar'), false);
  assert.equal(await page.isVisible('#contents'), false);
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  assert.equal(await page.locator('main details:not([open])').count(), 0);
  assert.ok((await page.pdf({ format: 'A4' })).length > 50_000);
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  assert.ok(await page.locator('main details:not([open])').count() > 5);
  assert.equal(await page.evaluate(() => localStorage.getItem('book-progress')), null, 'to print is to answer nothing');
  await context.close();
});

const forAxe = ['41-join.html', 'index.html', 'glossary.html', 'diff/40-task-group/41-join.html', 'diff/index.html#01-iterative/02-robust', 'code/chapters/13-epoll/index.html', 'progress.html', 'search.html', 'code/common/fd.hpp.html', 'choosing.html', 'replay/epoll.html'];

async function findBarriers(page) {
  await page.addScriptTag({ path: axePath });
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => `${page.url()}: ${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 150)).join(' | ')}`);
}

test('axe finds nothing serious, in light and in dark', async () => {
  const barriers = [];
  for (const colorScheme of ['light', 'dark']) {
    const { page, context } = await book.open(undefined, { colorScheme });
    // What a colour scheme changes is in the first four.
    for (const path of colorScheme === 'light' ? forAxe : forAxe.slice(0, 4)) {
      await page.goto('about:blank');
      await page.goto(book.address + path);
      if (path.includes('#')) await page.waitForSelector('#result .diff');
      barriers.push(...await findBarriers(page));
    }
    await context.close();
  }
  assert.deepEqual(barriers, []);
});

test('a barrier is seen', async (t) => {
  const folder = makeFolder(t);
  writeFileSync(join(folder, 'a.html'), '<!doctype html><html><title>x</title><link rel=icon href="data:,"><button></button><img src="data:,">');
  const other = await openBook(folder);
  try {
    const { page } = await other.open('a.html');
    assert.ok((await findBarriers(page)).length >= 2);
  } finally {
    await other.close();
  }
});
