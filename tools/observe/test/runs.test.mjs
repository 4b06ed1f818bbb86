// The tools on the real servers.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { executableOf, normalisePorts, runTool, skipWithout, waitForDescendant } from './support.mjs';

const chapters = ['01-iterative', '02-robust', '03-fork'];
const missing = skipWithout(...chapters);
const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
const canCapture = spawnSync('tcpdump', ['-i', 'lo', '-c', '1', '-w', '/dev/null', 'less 1'], { timeout: 300 }).error?.code === 'ETIMEDOUT';
const noTrace = missing || (!canTrace && 'strace may not trace here');
const noCapture = missing || (!canCapture && 'tcpdump may not capture here');

const noTerminal = missing || (spawnSync('script', ['--version']).status !== 0 && 'there is no script(1)');

const runOn = (tool, name, ...options) => runTool(tool, [name, executableOf(name), ...options]);

function assertCleanSuccess({ code, err, left }) {
  assert.equal(err, '');
  assert.equal(code, 0);
  assert.deepEqual(left, []);
}

for (const name of chapters) {
  for (const session of ['one', 'two', 'reset']) {
    test(`two traces of ${name}, session ${session}, are the same`, { skip: noTrace }, async () => {
      const [first, second] = await Promise.all([1, 2].map(() => runOn('trace', name, '--plain', '--session', session)));
      [first, second].forEach(assertCleanSuccess);
      assert.equal(normalisePorts(first.out), normalisePorts(second.out));
      assert.doesNotMatch(first.out, /\x1b| ms$/m);
    });
  }

  test(`two captures of ${name} are the same`, { skip: noCapture }, async () => {
    const [first, second] = await Promise.all([1, 2].map(() => runOn('capture', name, '--plain')));
    [first, second].forEach(assertCleanSuccess);
    assert.equal(first.out, second.out);
    assert.match(first.out, /^in TIME_WAIT: the client, .*agrees\)$/m);
  });
}

test('the trace of 03-fork tells who does what', { skip: noTrace }, async () => {
  const { out } = await runOn('trace', '03-fork', '--plain');
  const steps = out.split('\n\n');
  const stepNamed = (start) => steps.find((step) => step.startsWith(start));
  assert.match(out, /^03-fork, one client: strace of the server\n/);
  assert.match(stepNamed('the server starts'), /accept\(3, … {3}\(asleep\)$/);
  assert.match(stepNamed('the client connects'), /server +… accept\(3, \{.*\) = 4\n +server +fork\(\) = child 1\n/);
  assert.match(stepNamed('the client sends'), /\n +child 1 +… read\(4, "hello\\n", \d+\) = 6\n +child 1 +sendto\(4, "hello\\n"/);
  assert.match(stepNamed('the client closes'), /child 1 +\+\+\+ exited with 0 \+\+\+\n(.*\n)*.*SIGCHLD: child 1 has ended/);
  assert.match(out, /\none echo: 2 system calls \(read, sendto\)\n$/);
});

test('a reset ends 01-iterative and a client of 02-robust, and nobody is in TIME_WAIT', { skip: noTrace || noCapture }, async () => {
  const [one, two] = await Promise.all(['01-iterative', '02-robust'].map((name) => runOn('trace', name, '--plain', '--session', 'reset')));
  assert.match(one.out, /the client resets the connection\n.* = -1 ECONNRESET .*\n(.*\n)*.*exited with 1/);
  assert.match(two.out, /the client resets the connection\n.* = -1 ECONNRESET .*\n(.*\n)* +server +accept\(3, … {3}\(asleep\)\n/);
  const packets = await runOn('capture', '02-robust', '--plain', '--session', 'reset');
  assert.match(packets.out, /client → server {2}RST.* CLOSED +CLOSED\n\nin TIME_WAIT: nobody \(.* agrees\)\n$/);
});

test('in 01-iterative the second client waits, in 03-fork it does not', { skip: noTrace }, async () => {
  const [one, three] = await Promise.all(['01-iterative', '03-fork'].map((name) => runOn('trace', name, '--plain', '--session', 'two')));
  assert.match(one.out, /the second client sends "hello\\n", and no echo comes\n +the server does nothing: it is asleep in read\(4, …\)\n/);
  assert.match(three.out, /the second client sends "hello\\n" and receives its echo\n +child 2 /);
});

test('watch --once shows a child for every client of 03-fork, each with its connection', { skip: missing }, async () => {
  const result = await runOn('watch', '03-fork', '--once', '--clients', '3');
  assertCleanSuccess(result);
  assert.equal(result.out.match(/^[├└]─ child \d +\d+ +asleep +read\(4\)/gm).length, 3);
  assert.equal(result.out.match(/connection from 127\.0\.0\.1:\d+/g).length, 3);
  assert.match(result.out, /^server +\d+ +asleep +accept\(3\)/m);
});

test('watch --once shows one process of 01-iterative, and the second client in the accept queue', { skip: missing }, async () => {
  const result = await runOn('watch', '01-iterative', '--once');
  assertCleanSuccess(result);
  assert.doesNotMatch(result.out, /[├└]─/);
  assert.match(result.out, /LISTEN.* 1 in the accept queue/);
  assert.match(result.out, /^accept queue +ESTABLISHED .* 6 +0$/m);
});

test('watch connects clients by the hundred, and says how many found no room in the accept queue', { skip: missing }, async () => {
  const all = await runOn('watch', '02-robust', '--once', '--clients', '500');
  assert.equal(all.err, 'connecting 500 clients ...\n');
  assert.match(all.out, /, with 500 clients of this command\n/);
  assert.match(all.out, /LISTEN.* 499 in the accept queue/);
  // Linux lets one more in than the backlog says. The first client leaves the queue when the server gets to it: before the others have filled it, or after.
  const few = await runOn('watch', '01-iterative', '--once', '--clients', '20', '--', '--backlog', '4');
  assertCleanSuccess(few);
  const [, connected, refused] = /, with (\d+) clients of this command\n.*\n(\d+) more found no room in its accept queue\n/.exec(few.out) ?? assert.fail(few.out);
  assert.ok(['5', '6'].includes(connected), few.out);
  assert.equal(Number(connected) + Number(refused), 20);
});

test('watch says how many clients were turned away, and why', { skip: missing }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'learn-fake-'));
  const server = join(folder, 'turns-away');
  writeFileSync(server, `#!${process.execPath}
    const server = require('node:net').createServer((client) => client.destroy());
    server.listen(0, '127.0.0.1', () => console.log('listening on 127.0.0.1:' + server.address().port));`, { mode: 0o755 });
  try {
    const { code, out } = await runTool('watch', ['turns-away', server, '--once', '--clients', '3']);
    assert.equal(code, 0);
    assert.match(out, /^turns-away listens on 127\.0\.0\.1:\d+\n.*\n3 more without one: client \d /);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('why the server has ended is there when the picture has gone', { skip: noTerminal }, async () => {
  let isKilled = false;
  const { out } = await runTool('watch', ['01-iterative', executableOf('01-iterative')], {
    isOnTerminal: true,
    environment: { TERM: 'xterm' },
    whileRunning: (child, text) => {
      const pid = /server +(\d+) +asleep/.exec(text)?.[1];
      if (pid === undefined || isKilled) return;
      isKilled = true;
      process.kill(Number(pid), 'SIGKILL');
    },
  });
  assert.ok(isKilled, out);
  assert.match(out.split('\x1b[?1049l').at(-1), /^watch: the server has ended: killed by SIGKILL\r\n$/);
});

test('on a terminal that cannot be drawn over, watch is one picture as text', { skip: noTerminal }, async () => {
  for (const term of ['dumb', '']) {
    const { out } = await runTool('watch', ['01-iterative', executableOf('01-iterative')], { isOnTerminal: true, environment: { TERM: term } });
    assert.match(out, /^01-iterative listens on 127\.0\.0\.1:\d+, with 2 clients of this command\r\n/);
    assert.doesNotMatch(out, /\x1b/);
  }
});

test('on a terminal the trace says what the times beside its headings are', { skip: noTerminal || noTrace }, async () => {
  const { out } = await runTool('trace', ['01-iterative', executableOf('01-iterative')], { isOnTerminal: true, environment: { TERM: 'dumb' } });
  assert.match(out, /^the time after a heading: from the beginning of the step to the server's last call in it/m);
  assert.match(out, /^the server starts {3}\d+\.\d ms\r$/m);
});

test('capture and trace take a server on IPv6', { skip: noCapture || noTrace }, async () => {
  const four = await runOn('capture', '02-robust', '--plain');
  const six = await runOn('capture', '02-robust', '--plain', '--', '--host', '::1');
  assertCleanSuccess(six);
  assert.equal(six.out, four.out);
  const trace = await runOn('trace', '02-robust', '--plain', '--', '--host', '::1');
  assertCleanSuccess(trace);
});

test('a disk that is full is an error in words', { skip: missing }, async () => {
  const full = openSync('/dev/full', 'w');
  try {
    const { code, err, left } = await runTool('watch', ['01-iterative', executableOf('01-iterative'), '--once'], { stdout: full });
    assert.deepEqual([code, err, left], [1, 'watch: cannot write to stdout: no space left on device\n', []]);
  } finally {
    closeSync(full);
  }
});

test('a reader that has seen enough is no failure', { skip: missing }, async () => {
  const { code, err, left } = await runTool('watch', ['01-iterative', executableOf('01-iterative'), '--once'], {
    whileRunning: (child) => child.stdout.destroy(),
  });
  assert.deepEqual([code, err, left], [0, '', []]);
});

test('what the file system refuses is said in words', { skip: noTrace }, async () => {
  const { code, err } = await runTool('trace', ['01-iterative', executableOf('01-iterative')], { environment: { TMPDIR: '/no/such' } });
  assert.equal(code, 1);
  assert.match(err, /^trace: mkdtemp \/no\/such\/learn-trace-\w+: no such file or directory\n$/);
});

test('watch looks at a server that runs already, and lets it run', { skip: missing }, async () => {
  const server = spawn(executableOf('02-robust'), ['--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(server.stdout, 'data');
    const result = await runTool('watch', ['--pid', String(server.pid), '--once', '--clients', '1']);
    assertCleanSuccess(result);
    assert.match(result.out, /^02-robust listens on 127\.0\.0\.1:\d+, with 1 client/);
    assert.equal(server.exitCode, null);
  } finally {
    server.kill();
    await once(server, 'exit');
  }
});

test('watch --pid wants a process that listens itself, and names the one that does', { skip: missing }, async () => {
  const shell = spawn('sh', ['-c', '"$0" --port 0; true', executableOf('02-robust')], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(shell.stdout, 'data');
    const { code, err } = await runTool('watch', ['--pid', String(shell.pid), '--once']);
    assert.equal(code, 1);
    const [, pid] = /^watch: process \d+ \(sh\) has no listening socket of its own; process (\d+) \(02-robust\), .*: \.\/learn watch --pid \1\n$/.exec(err) ?? [];
    assert.ok(pid, err);
    const result = await runTool('watch', ['--pid', pid, '--once']);
    assertCleanSuccess(result);
    assert.match(result.out, /^02-robust listens on 127\.0\.0\.1:\d+\n/);
    assert.ok(result.out.split('\n')[1].length <= 100, result.out);
  } finally {
    process.kill(-shell.pid);
    await once(shell, 'exit');
  }
});

test('watch --pid: no such process, and one that does not listen', async () => {
  const nobody = await runTool('watch', ['--pid', '4194304', '--once']);
  assert.equal(nobody.code, 1);
  assert.match(nobody.err, /^watch: no process 4194304 runs; the servers that run: pgrep/);
  const deaf = await runTool('watch', ['--pid', String(process.pid), '--once']);
  assert.equal(deaf.code, 1);
  assert.match(deaf.err, /has no listening socket of its own/);
});

test("the usage is the learner's when ./learn has handed it down", async () => {
  const { code, err } = await runTool('trace', ['x', 'y', '--session', 'three'], { environment: { LEARN_USAGE: './learn trace [CHAPTER]' } });
  assert.equal(code, 2);
  assert.match(err, /\nusage: \.\/learn trace \[CHAPTER\] {3}\(more: \.\/learn help trace\)\n$/);
});

const interruptible = [['trace', noTrace, 'strace'], ['capture', noCapture, 'tcpdump'], ['watch', missing, '01-iterative']];
for (const [tool, skip, started] of interruptible) {
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
    test(`${signal} ends ${tool} and all that it has started`, { skip }, async () => {
      let isSent = false;
      const result = await runTool(tool, ['01-iterative', executableOf('01-iterative'), ...(tool === 'watch' ? ['--once', '--clients', '3'] : [])], {
        whileRunning: async (child) => {
          if (isSent) return;
          isSent = true;
          await waitForDescendant(child, started);
          child.kill(signal);
        },
      });
      assert.equal(result.code, code);
      assert.deepEqual(result.left, []);
    });
  }
}

test('a server that ends before it is ready is quoted', { skip: missing }, async () => {
  const { code, err, left } = await runTool('watch', ['x', executableOf('01-iterative'), '--once', '--', '--backlog', 'many']);
  assert.equal(code, 1);
  assert.match(err, /^watch: the server did not start \(exit 2\); it said: error: --backlog wants a whole number/);
  assert.deepEqual(left, []);
});

for (const tool of ['trace', 'capture', 'watch']) {
  test(`${tool} says what to do about a missing executable`, async () => {
    const { code, err } = await runTool(tool, ['99-nothing', './99-nothing']);
    assert.equal(code, 1);
    assert.equal(err, `${tool}: ./99-nothing is not an executable file; build it: cmake --build build --target 99-nothing\n`);
  });
}

const wrongLines = [
  ['trace', [], /the name of the chapter and its executable are wanted/],
  ['trace', ['x', 'y', 'z'], /'z' is one word too many/],
  ['trace', ['x', 'y', '--fast'], /Unknown option '--fast'/],
  ['trace', ['x', 'y', '--session', 'three'], /--session wants one or two or reset or upgrade, not 'three'/],
  ['trace', ['13-epoll', 'y', '--session', 'upgrade'], /--session upgrade is an upgrade, which servers can from 55-successor on: 13-epoll starts no next version of itself/],
  ['capture', ['x', 'y', '--session', 'two'], /--session wants one or reset, not 'two'/],
  ['watch', ['x', 'y', '--clients', 'many'], /--clients wants a whole number from 0 to 10000, not 'many'/],
  ['watch', ['x', 'y', '--interval', '1'], /--interval wants a whole number/],
  ['watch', ['x', 'y', '--pid', '1'], /'x' is one word too many/],
  ['watch', ['--pid', '1', '--port', '5'], /--pid watches a server that runs already/],
];
for (const [tool, words, message] of wrongLines) {
  test(`${tool} ${words.join(' ')}: refused with exit code 2 and the usage`, async () => {
    const { code, out, err } = await runTool(tool, words);
    assert.equal(code, 2);
    assert.match(err, message);
    assert.match(err, new RegExp(`^usage: ${tool} `, 'm'));
    assert.equal(out, '');
  });
}

test('without strace or tcpdump the exit code is 77, and the message says what to do', { skip: missing }, async () => {
  for (const tool of ['trace', 'capture']) {
    const { code, err, left } = await runTool(tool, ['01-iterative', executableOf('01-iterative')], { environment: { PATH: '/nowhere' } });
    assert.equal(code, 77);
    assert.match(err, /is not installed; install it: \.\/learn doctor says how/);
    assert.deepEqual(left, []);
  }
});

test('an strace or tcpdump without the right: 77, its own words, and the remedy', { skip: missing }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'learn-fake-'));
  try {
    for (const name of ['strace', 'tcpdump']) {
      writeFileSync(join(folder, name), `#!/bin/sh\necho "${name}: Operation not permitted" >&2\nexit 1\n`, { mode: 0o755 });
    }
    for (const [tool, remedy] of [['trace', /ptrace_scope|SYS_PTRACE/], ['capture', /the same command behind sudo.*setcap/]]) {
      const { code, err } = await runTool(tool, ['01-iterative', executableOf('01-iterative')], { environment: { PATH: `${folder}:${process.env.PATH}` } });
      assert.equal(code, 77);
      assert.match(err, /Operation not permitted/);
      assert.match(err, remedy);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
