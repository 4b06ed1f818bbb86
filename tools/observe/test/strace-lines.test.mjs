// The strace parser, on lines that strace has written.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinCalls, parseStrace, splitArguments } from '../strace-lines.mjs';

const parseOne = (line) => parseStrace(`19225 1795409702.683318 ${line}`)[0];

test('a whole call has its name, arguments, result and duration', () => {
  const call = parseOne('accept(3, {sa_family=AF_INET, sin_port=htons(57566), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]) = 4 <0.746985>');
  assert.equal(call.pid, 19225);
  assert.equal(call.time, 1795409702.683318);
  assert.equal(call.kind, 'call');
  assert.equal(call.name, 'accept');
  assert.equal(call.args, '3, {sa_family=AF_INET, sin_port=htons(57566), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]');
  assert.equal(call.result, '4');
  assert.equal(call.duration, 0.746985);
});

test('blanks that align the result are no part of the arguments', () => {
  assert.deepEqual([parseOne('close(4)        = 0 <0.000847>').args, parseOne('close(4)        = 0 <0.000847>').result], ['4', '0']);
});

test('data that looks like the end of a call stays data', () => {
  const call = parseOne(String.raw`read(4, "f(x) = 1 <0.5>\n", 65536) = 15 <0.201616>`);
  assert.equal(call.args, String.raw`4, "f(x) = 1 <0.5>\n", 65536`);
  assert.equal(call.result, '15');
});

test('what poll returns beside its number belongs to the result', () => {
  assert.equal(parseOne('poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}]) <0.1>').result, '1 ([{fd=3, revents=POLLIN}])');
});

test('an error keeps its name and its words', () => {
  assert.equal(parseOne('wait4(-1, NULL, WNOHANG, NULL) = -1 ECHILD (No child processes) <0.000007>').result, '-1 ECHILD (No child processes)');
});

test('a call that never returns has the result ?', () => {
  const call = parseOne('exit_group(0)   = ?');
  assert.deepEqual([call.kind, call.args, call.result], ['call', '0', '?']);
});

test('signals and ends are events of their own', () => {
  const signal = parseOne('--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=19238, si_uid=0, si_status=0} ---');
  assert.deepEqual([signal.kind, signal.signal], ['signal', 'SIGCHLD']);
  assert.match(signal.info, /si_pid=19238/);
  assert.equal(parseOne('+++ exited with 0 +++').status, 0);
  assert.equal(parseOne('+++ killed by SIGSEGV (core dumped) +++').signal, 'SIGSEGV');
});

test('lines of another kind are left out', () => {
  assert.deepEqual(parseStrace('strace: Process 7 attached\n\n7 1.5 garbage\n'), []);
});

test('a beginning and its end become one call, with everything between them in its place', () => {
  const items = joinCalls(parseStrace([
    '10 1.000000 accept(3,  <unfinished ...>',
    '11 1.250000 close(3) = 0 <0.250000>',
    '10 2.000000 <... accept resumed>{sa_family=AF_INET}, [128 => 16]) = 4 <1.000000>',
  ].join('\n')));
  assert.deepEqual(items.map(({ pid, name, args, result, begin, end }) => ({ pid, name, args, result, begin, end })), [
    { pid: 10, name: 'accept', args: '3, {sa_family=AF_INET}, [128 => 16]', result: '4', begin: 1, end: 2 },
    { pid: 11, name: 'close', args: '3', result: '0', begin: 1.25, end: 1.5 },
  ]);
});

test('a call that has not returned ends never', () => {
  const [call] = joinCalls(parseStrace('10 1.000000 accept(3,  <unfinished ...>'));
  assert.deepEqual([call.end, call.result], [Infinity, null]);
});

test('an end whose beginning was before the trace is left out', () => {
  assert.deepEqual(joinCalls(parseStrace('10 1.000000 <... read resumed>"", 10) = 0 <1.0>')), []);
});

test('commas in brackets and strings do not separate arguments', () => {
  assert.deepEqual(splitArguments(String.raw`3, {a=1, b=[2, 3]}, "x, \", y)", f(1, 2)`), ['3', '{a=1, b=[2, 3]}', String.raw`"x, \", y)"`, 'f(1, 2)']);
  assert.deepEqual(splitArguments(''), []);
});
