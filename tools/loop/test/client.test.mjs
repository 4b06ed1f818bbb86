// The difficult client, on the real servers and on servers that are difficult themselves.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { executableOf, runTool, skipWithout } from '../../observe/test/support.mjs';

const root = new URL('../../..', import.meta.url).pathname;
const skip = skipWithout('01-iterative', '02-robust', '03-fork', '07-thread-pool');

const runClient = (words, options = {}) => runTool('../loop/client', words, { input: '', ...options, environment: { LEARN_ROOT: root, ...options.environment } });

function assertCleanSuccess({ code, err, left }) {
  assert.equal(err.replace(/^(waiting for another|building) .*\n/gm, ''), '');
  assert.equal(code, 0);
  assert.deepEqual(left, []);
}

/** The lines of the step whose title begins with `start`. */
const stepNamed = (out, start) => out.split('\n\n').find((step) => step.startsWith(start)) ?? assert.fail(`no step '${start}' in:\n${out}`);

/** Runs a chapter's server, or the text of a program of Node's that prints the ready line, while `use(port)` runs. */
async function withServer(server, words, use) {
  const folder = mkdtempSync(join(tmpdir(), 'learn-client-'));
  const script = join(folder, 'fake');
  const isChapter = /^\d\d-/.test(server);
  if (!isChapter) writeFileSync(script, `#!${process.execPath}\n${server}`, { mode: 0o755 });
  const child = spawn(isChapter ? executableOf(server) : script, words, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  const ended = once(child, 'exit');
  try {
    let line = '';
    for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      line += text;
      if (line.includes('\n')) break;
    }
    return await use(/:(\d+)\n/.exec(line)[1], child);
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true });
  }
}

/** A server that does `serve` with each client: the text of a function's body. */
const fakeServer = (serve) => `const server = require('node:net').createServer({ allowHalfOpen: true }, (client) => {
    client.on('error', () => {});
    ${serve}
  });
  server.listen(0, '127.0.0.1', () => console.log('listening on 127.0.0.1:' + server.address().port));`;

test('--half-close: what is on its way after the FIN still comes', { skip }, async () => {
  const result = await runClient(['3', '--half-close', '--line', 'how are you?']);
  assertCleanSuccess(result);
  const { out } = result;
  assert.match(out, /^03-fork listens on 127\.0\.0\.1:\d+\n/);
  assert.match(stepNamed(out, 'the client connects'), /client +ESTABLISHED, 0 to read, 0 to send\n +server +ESTABLISHED, .*; open in child 1\n +processes +server: asleep in accept\(3\); child 1: asleep in read\(4\)$/);
  assert.match(stepNamed(out, 'the client sends "how are you?\\n"'), /\n +received +"how are you\?\\n"\n/);
  assert.match(stepNamed(out, 'the client sends "bye\\n", closes its sending side'), /client +TIME_WAIT; what came before the FIN can still be read\n/);
  assert.match(stepNamed(out, 'the client reads what is left'), /received +"bye\\n", and the end of file\n/);
  assert.match(out.replace(/\s+/g, ' '), /sent 17 bytes and received 17; in TIME_WAIT: the client, who sent the first FIN $/);
});

test('--reset ends 01-iterative, and 02-robust goes on', { skip }, async () => {
  const [one, two] = await Promise.all(['1', '2'].map((chapter) => runClient([chapter, '--reset'])));
  [one, two].forEach(assertCleanSuccess);
  assert.match(one.out, /resets .*\n +client +CLOSED: .*\n +server +CLOSED: .*\n +processes +01-iterative has ended: exit 1\n +its stderr +error: read: Connection reset by peer\n/);
  assert.match(two.out, /resets .*\n.*\n.*\n +processes +server: asleep in accept\(3\)\n +its stderr +client 127\.0\.0\.1:\d+: read: Connection reset by peer\n/);
  assert.match(two.out, /no side is in TIME_WAIT\n$/);
});

test('--slow: the queue grows by a byte and shrinks by a byte', { skip }, async () => {
  const result = await runClient(['2', '--slow', '--line', 'abc']);
  assertCleanSuccess(result);
  const counts = (step) => [...stepNamed(result.out, step).matchAll(/^ {2}(?:sent|read) .*: (\d+) to read/gm)].map(([, count]) => Number(count));
  assert.deepEqual(counts('the client sends "abc\\n" a byte at a time'), [1, 2, 3, 4]);
  assert.deepEqual(counts('the client reads a byte'), [3, 2, 1, 0]);
});

test('--stall: every byte that the kernel has taken is somewhere, and flows on when it is read', { skip }, async () => {
  const result = await runClient(['2', '--stall'], { input: '\n' });
  assertCleanSuccess(result);
  const number = (text) => Number(text.replaceAll(',', ''));
  const taken = number(/sent +([\d,]+) bytes/.exec(result.out)[1]);
  const places = [...stepNamed(result.out, 'where they are').matchAll(/^ +([\d,]+) {2}\S/gm)].map(([, count]) => number(count));
  assert.equal(places.length, 5);
  assert.equal(places.reduce((sum, count) => sum + count), taken);
  assert.ok(places[2] <= 65536, 'the server holds what one read has brought');
  assert.match(stepNamed(result.out, 'the client sends and'), /processes +server: asleep in sendto\(4\)/);
  const [, sent, received] = /sent ([\d,]+) bytes and received\s([\d,]+);/.exec(result.out);
  assert.equal(sent, received);
});

test('--stall and q: leaving with bytes unread is a reset', { skip }, async () => {
  const result = await runClient(['2', '--stall'], { input: 'q\n' });
  assertCleanSuccess(result);
  assert.match(stepNamed(result.out, 'the client closes its descriptor with bytes unread'), /its stderr +client .*: send: Connection reset by peer/);
});

test('--many: who is served, who waits; a line is sent by each; all close at once', { skip }, async () => {
  const result = await runClient(['7', '--many', '5', '--', '--workers', '2'], { input: 'more\n' });
  assertCleanSuccess(result);
  const first = stepNamed(result.out, '5 clients connect');
  assert.match(first, /served +2 have their echo\n +waiting +3 have a connection and no echo\n +clients +5 ESTABLISHED\n +server +5 ESTABLISHED \(bytes: 18 to read\)/);
  assert.match(result.out, /> more\n +served +2 of 5 have their echo of "more\\n"\n/);
  assert.match(stepNamed(result.out, '5 clients close at once'), /processes +server: asleep in accept4\(3\); thread 1 … thread 2: asleep in futex/);
});

test('--many: what finds no room in the accept queue is counted', { skip }, async () => {
  const { out, left } = await runClient(['2', '--many', '20', '--', '--backlog', '4']);
  assert.deepEqual(left, []);
  // How many the kernel takes for connected before it drops the first SYN depends on how early the server takes one out.
  const count = (label) => Number(new RegExp(`^ +${label} +(\\d+) `, 'm').exec(out)?.[1] ?? 0);
  assert.equal(count('served'), 1);
  assert.ok(count('waiting') >= 4, out);
  assert.equal(count('served') + count('waiting') + count('no room'), 20);
});

test('--many --reset ends 01-iterative', { skip }, async () => {
  const result = await runClient(['1', '--many', '3', '--reset']);
  assertCleanSuccess(result);
  assert.match(stepNamed(result.out, '3 clients reset at once'), /01-iterative has ended: exit 1\n +its stderr +error: read: Connection reset by peer/);
});

test('--many: more clients than there are descriptors', { skip }, async () => {
  const command = `ulimit -n 64; exec '${process.execPath}' '${root}tools/loop/client.mjs' 3 --many 100`;
  const child = spawn('bash', ['-c', command], { env: { ...process.env, LEARN_ROOT: root }, stdio: ['ignore', 'ignore', 'pipe'] });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
  const [code] = await once(child, 'close');
  assert.match(err, /\nclient: 100 clients need as many descriptors, and this shell's hard limit is 64 \(ulimit -Hn\): at most --many 24 here\n$/);
  assert.equal(code, 1);
});

test('without a mode the lines of the input are sent, and its end closes the sending side', { skip }, async () => {
  const result = await runClient(['2'], { input: 'one\ntwo\n' });
  assertCleanSuccess(result);
  assert.match(result.out, /\n> one\n +received +"one\\n"\n> two\n +received +"two\\n"\n> \n\nthe client closes its sending side/);
  assert.match(stepNamed(result.out, 'the client reads what is left'), /received +the end of file\n/);
});

test('--port: a server that runs already, and is busy with another client', { skip }, async () => {
  await withServer('02-robust', ['--port', '0'], async (port) => {
    let other;
    const first = runClient(['--port', port], {
      input: 'open',
      whileRunning: (child, text) => {
        if (!text.includes('\n> ') || other !== undefined) return;
        other = runClient(['--port', port, '--line', 'x']).finally(() => child.stdin.end());
      },
    });
    assertCleanSuccess(await first);
    const { code, out, err } = await other;
    assert.match(out, /^02-robust listens on 127\.0\.0\.1:\d+\n/);
    assert.match(stepNamed(out, 'the client sends'), /received +nothing, and the server is quiet\n.*\n +server +ESTABLISHED, 2 to read, 0 to send; in the accept queue: no process\n +has accepted it\n/);
    assert.equal(err, 'client: the line has not come back\n');
    assert.equal(code, 1);
  });
});

test('a port where no process listens; and one where it does, on another address', { skip }, async () => {
  await withServer('02-robust', ['--port', '0', '--host', '127.0.0.2'], async (port) => {
    const { code, err } = await runClient(['--port', port, '--reset']);
    assert.equal(err, `client: no process listens on 127.0.0.1:${port}, but one does on 127.0.0.2:${port}: --host 127.0.0.2\n`);
    assert.equal(code, 1);
    assertCleanSuccess(await runClient(['--port', port, '--host', '127.0.0.2', '--line', 'x']));
  });
  const { code, err } = await runClient(['--port', '1', '--reset']);
  assert.match(err, /^client: no process listens on 127\.0\.0\.1:1; start a server in another terminal/);
  assert.equal(code, 1);
});

test('a server that turns its client away, and one that changes a byte', async () => {
  await withServer(fakeServer('client.resetAndDestroy();'), [], async (port) => {
    const { code, err, left } = await runClient(['--port', port, '--half-close']);
    assert.match(err, /^client: the client .*(has no connection: |waited for its echo, and )the server has (reset|ended) the connection \(E/);
    assert.deepEqual([code, left], [1, []]);
  });
  await withServer(fakeServer("client.on('data', (bytes) => client.write(bytes.toString().replace('e', 'E'))).on('end', () => client.end());"), [], async (port) => {
    const { code, err } = await runClient(['--port', port, '--half-close']);
    assert.equal(err, 'client: the client sent "hello\\nbye\\n" and received "hEllo\\nbyE\\n"\n');
    assert.equal(code, 1);
  });
  const spoil = 'const twice = require("node:stream").Transform; let n = 0; client.pipe(new twice({ transform(b, _, done) { '
    + 'const c = Buffer.from(b); if (n <= 100000 && n + c.length > 100000) c[100000 - n] ^= 1; n += c.length; done(null, c); } })).pipe(client);';
  await withServer(fakeServer(spoil), [], async (port) => {
    const { code, err } = await runClient(['--port', port, '--stall']);
    assert.equal(err, 'client: byte 100,000 of what came back is another one than was sent\n');
    assert.equal(code, 1);
  });
});

test('a server that takes everything, and one that ends a client that does not read', async () => {
  await withServer(fakeServer("client.on('data', () => {});"), [], async (port) => {
    const { code, err } = await runClient(['--port', port, '--stall']);
    assert.match(err, /^client: the server has taken 134,217,728 bytes of a client that does not read/);
    assert.equal(code, 1);
  });
  await withServer(fakeServer("client.pause(); setTimeout(() => client.resetAndDestroy(), 1500);"), [], async (port) => {
    const result = await runClient(['--port', port, '--stall'], { input: 'open', whileRunning: (child, text) => /has not begun/.test(text) && child.stdin.end() });
    assertCleanSuccess(result);
    assert.match(stepNamed(result.out, 'the client has not begun to read'), /connection +the server has reset the connection \(ECONNRESET\)/);
  });
});

test('a server that ends while the reader thinks', async () => {
  await withServer(fakeServer("client.on('data', (bytes) => (String(bytes) === 'die\\n' ? process.exit() : client.write(bytes)));"), [], async (port) => {
    const { code, err, out, left } = await runClient(['--port', port, '--many', '2'], {
      input: 'open', whileRunning: (child, text) => /\n> $/.test(text) && child.stdin.write('die\n'),
    });
    assert.match(out, /served +0 of 2 have their echo of "die\\n"\n/);
    assert.match(err, /^client: \S+ has ended\n$/);
    assert.deepEqual([code, left], [1, []]);
  });
});

test('Ctrl-C ends the client and its server', { skip }, async () => {
  for (const words of [['3'], ['3', '--many', '3'], ['2', '--stall']]) {
    const { code, left, out } = await runClient(words, { input: 'open', whileRunning: (child, text) => text.endsWith('\n> ') && child.kill('SIGINT') });
    assert.deepEqual([code, left], [130, []], words.join(' '));
    assert.doesNotMatch(out, /at once\n\s*$/);
  }
});

const wrong = [
  ['--halfclose', /client has no option --halfclose; did you mean --half-close\?/],
  ['3 --slow --stall', /--slow and --stall do not go together/],
  ['3 --stall --line x', /--stall sends bytes of its own/],
  ['3 --many 0', /--many wants a whole number from 1 to 10000, not '0'/],
  ['--port 70000', /--port wants a whole number from 1 to 65535/],
  ['--port 9877 --practice', /--practice for your copy: choose one/],
  ['3 --port 9877', /name no chapter beside it/],
  ['--port 9877 -- --workers 3', /--port is for one that runs already/],
  ['3 4', /'4' is one word too many/],
  ['frok', /there is no chapter 'frok'; did you mean 03-fork\?/],
];
for (const [line, words] of wrong) {
  test(`client ${line}: refused with exit code 2 and the usage`, async () => {
    const { code, err, out } = await runClient(line.split(' '));
    assert.equal(code, 2);
    assert.match(err, words);
    assert.match(err, /\nusage: client /);
    assert.equal(out, '');
  });
}
