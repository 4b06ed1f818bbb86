// From strace's lines to the story of a session: roles, sleep, signals, what is left out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveInterruptions } from '../interruptions.mjs';
import { compressRoles, nameRoles } from '../roles.mjs';
import { selectItems } from '../selection.mjs';
import { joinCalls, parseStrace } from '../strace-lines.mjs';
import { tellStory } from '../story.mjs';

const chld = (pid) => `--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=${pid}, si_uid=0, si_status=0, si_utime=0, si_stime=0} ---`;
const forkOf = (pid) => `clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f97) = ${pid} <0.000100>`;
const threadOf = (pid) => `clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD, child_tid=0x7f, stack=0x7f}, 88) = ${pid} <0.000100>`;
const handler = (flags = '') => `rt_sigaction(SIGCHLD, {sa_handler=0x55d0fa117a30, sa_mask=[], sa_flags=SA_RESTORER${flags}, sa_restorer=0x7f979865a050}, NULL, 8) = 0 <0.000001>`;
const restartNote = '= ? ERESTARTSYS (To be restarted if SA_RESTART is set)';

/** The story of lines `PID TIME WHAT`; step 1 begins at the first of `starts`, and the last lasts to 100. */
function tell(lines, starts = [], options = {}) {
  const text = lines.map((line) => line.replace(/^(\d+) (\S+)/, (_, pid, time) => `${pid} ${Number(time).toFixed(6)}`)).join('\n');
  const steps = [0, ...starts].map((start, index) => ({ title: `step ${index}`, start, ...options }));
  return tellStory(selectItems(resolveInterruptions(joinCalls(parseStrace(text)))), steps, 100);
}

const show = (step) => step.lines.map(({ role, text, isAsleep, turns, length }) =>
  (turns ? `${role}: ${length} x ${turns}` : `${role}: ${text}${isAsleep ? ' (asleep)' : ''}`));

test('a call that sleeps across steps is seen to begin and to return', () => {
  const story = tell(['10 1 accept(3, {sa_family=AF_INET, sin_port=htons(57566), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]) = 4 <10.0>'], [10, 20]);
  assert.deepEqual(show(story[0]), ['server: accept(3, … (asleep)']);
  assert.deepEqual(show(story[1]), ['server: … accept(3, {sa_family=AF_INET, sin_port=htons(57566), …}, [128 => 16]) = 4']);
  assert.deepEqual(story[1].calls, ['accept']);
  assert.deepEqual(story[2].lines, []);
});

test('a step without lines says in what everybody is asleep', () => {
  const story = tell(['10 1 read(4,  <unfinished ...>'], [10]);
  assert.deepEqual(story[1].idle, [{ role: 'server', asleepIn: 'read(4, …' }]);
});

test('a call that sleeps is told, however many of its arguments strace has shown', () => {
  const given = { read: ['4'], wait4: ['-1'], waitid: ['P_ALL', '0'], rt_sigtimedwait: ['[RTMIN]'], fcntl: ['3', 'F_SETLKW'], getsockopt: ['3', 'SOL_TCP', 'TCP_INFO'] };
  for (const [name, words] of Object.entries(given)) {
    for (let count = 1; count <= words.length; count += 1) {
      const story = tell([`10 1 ${name}(${words.slice(0, count).join(', ')}${count < words.length ? ',' : ''} <unfinished ...>`], [10]);
      assert.ok(story.length > 0, `${name} with ${count}`);
    }
  }
});

test('a call with all arguments known shows them when it falls asleep', () => {
  assert.deepEqual(show(tell(['10 1 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}]) <20.0>'], [10])[0]),
    ['server: poll([{fd=3, events=POLLIN}], 1, -1) (asleep)']);
});

test('fork and its pids are told by roles, the child after its parent', () => {
  const [step] = tell([
    `10 1.0 ${forkOf(4711)}`, '4711 1.1 close(3) = 0 <0.000001>', '10 1.2 close(4) = 0 <0.000001>',
    '10 1.3 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 4711 <0.000001>', '10 1.4 kill(4711, SIGTERM) = 0 <0.000001>',
  ]);
  assert.deepEqual(show(step), [
    'server: fork() = child 1', 'server: close(4) = 0',
    'server: wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = child 1', 'server: kill(child 1, SIGTERM) = 0',
    'child 1: close(3) = 0',
  ]);
});

test('a child that strace shows before the end of fork is known all the same', () => {
  const [step] = tell(['10 1.0 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>', '11 1.1 close(3) = 0 <0.000001>', '10 1.2 <... clone resumed>) = 11 <0.2>']);
  assert.deepEqual(show(step), ['server: fork() = child 1', 'child 1: close(3) = 0']);
});

test('a thread is a thread', () => {
  const [step] = tell([`10 1.0 ${threadOf(11)}`, '11 1.1 close(4) = 0 <0.000001>', '11 1.2 exit(0) = ?', '11 1.3 +++ exited with 0 +++']);
  assert.deepEqual(show(step), ['server: clone(thread) = thread 1', 'thread 1: close(4) = 0', 'thread 1: exit(0)', 'thread 1: +++ exited with 0 +++']);
});

test('of a pool the member that wakes first is number 1, and the births are one line', () => {
  const story = tell([`10 1.0 ${forkOf(11)}`, `10 1.1 ${forkOf(12)}`, `10 1.2 ${forkOf(13)}`,
    '11 2.0 accept(3,  <unfinished ...>', '12 2.1 accept(3,  <unfinished ...>', '13 2.2 accept(3,  <unfinished ...>', '12 11 <... accept resumed>NULL, NULL) = 4 <9.0>'], [10]);
  assert.equal(show(story[0])[0], 'server: fork() = child 1 … child 3   3 calls');
  assert.deepEqual(show(story[1]), ['child 1: … accept(3, NULL, NULL) = 4']);
});

test('roles of one step are numbered by birth when none of them does anything later', () => {
  const items = joinCalls(parseStrace([`10 1.000000 ${forkOf(12)}`, `10 2.000000 ${forkOf(11)}`].join('\n')));
  assert.deepEqual([...nameRoles(items, () => 0)], [[10, 'server'], [12, 'child 1'], [11, 'child 2']]);
});

test('numbers that follow each other become a range', () => {
  assert.equal(compressRoles(['child 3', 'child 1', 'server', 'child 2', 'child 9']), 'server, child 1 … child 3, child 9');
});

test('a signal that interrupts: the call, the handler, and -1 EINTR', () => {
  const story = tell([
    `10 1.0 ${handler()}`, `10 1.1 accept(3, 0x7ffd92799f58, [128]) ${restartNote} <10.0>`, `10 11.1 ${chld(99)}`,
    '10 11.2 wait4(-1, NULL, WNOHANG, NULL) = -1 ECHILD (No child processes) <0.000007>',
    '10 11.3 rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call) <0.000009>', '10 11.4 accept(3,  <unfinished ...>',
  ], [11]);
  assert.deepEqual(show(story[0]), ['server: rt_sigaction(SIGCHLD, {sa_handler=…, sa_mask=[], sa_flags=0}, NULL) = 0', 'server: accept(3, … (asleep)']);
  assert.deepEqual(show(story[1]), [
    'server: … accept(3, …) is interrupted by a signal', 'server: --- SIGCHLD: another process has ended ---',
    'server: wait4(-1, NULL, WNOHANG, NULL) = -1 ECHILD (No child processes)', 'server: the handler returns; accept returns -1 EINTR',
    'server: accept(3, … (asleep)',
  ]);
});

test('with SA_RESTART the call starts again', () => {
  const [step] = tell([`10 1.0 ${handler('|SA_RESTART')}`, `10 1.1 accept(3, NULL, NULL) ${restartNote} <0.1>`, `10 1.3 ${chld(99)}`,
    '10 1.4 rt_sigreturn({mask=[]}) = 43 <0.000009>', '10 1.5 accept(3,  <unfinished ...>']);
  assert.deepEqual(show(step).slice(-2), ['server: the handler returns; accept starts again', 'server: accept(3, … (asleep)']);
});

test('a signal without a handler does not interrupt: the call goes on', () => {
  const story = tell([`10 1.0 accept(3, NULL, NULL) ${restartNote} <10.0>`, `10 11.1 ${chld(99)}`, '10 11.2 accept(3, NULL, NULL) = 4 <10.0>'], [11, 21]);
  assert.deepEqual(story.map(show), [['server: accept(3, … (asleep)'], ['server: --- SIGCHLD: another process has ended (ignored) ---'], ['server: … accept(3, NULL, NULL) = 4']]);
});

test('the flags of a ring are named, whether strace knows them or not, and its long answers are cut', () => {
  for (const flags of ['0x3000 /* IORING_SETUP_??? */', 'IORING_SETUP_SINGLE_ISSUER|IORING_SETUP_DEFER_TASKRUN']) {
    const [step] = tell([`10 1.0 io_uring_setup(256, {flags=${flags}, sq_thread_cpu=0, cq_entries=512}) = 4 <0.1>`]);
    assert.equal(show(step)[0], 'server: io_uring_setup(256, {flags=IORING_SETUP_SINGLE_ISSUER|IORING_SETUP_DEFER_TASKRUN, …}) = 4');
  }
  const [step] = tell(['10 1.0 io_uring_register(4, IORING_REGISTER_PROBE, {last_op=62, ops=[{op=0}]}, 256) = 0 <0.1>']);
  assert.equal(show(step)[0], 'server: io_uring_register(4, IORING_REGISTER_PROBE, …, 256) = 0');
});

test('a signal that F_SETSIG sends names its descriptor', () => {
  const [step] = tell(['10 1.0 rt_sigtimedwait([RT_3], {si_signo=SIGRT_3, si_code=0x1, si_pid=65, si_uid=0, si_int=4, si_ptr=0x4}, NULL, 8) = 35 (SIGRT_3) <0.1>']);
  assert.match(show(step)[0], /\{si_signo=SIGRT_3, si_code=POLL_IN, si_band=65, si_fd=4\}/);
});

test('files are left out until their number is a socket again', () => {
  const [step] = tell([
    '10 1.0 execve("./server", ["./server"], 0x7ffd /* 20 vars */) = 0 <0.001>', '10 1.1 openat(AT_FDCWD, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3 <0.001>',
    '10 1.2 read(3, "127.0.0.1 localhost", 4096) = 19 <0.001>', '10 1.3 close(3) = 0 <0.001>',
    '10 1.4 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3 <0.001>', '10 1.5 close(3) = 0 <0.001>',
  ]);
  assert.deepEqual(show(step), ['server: socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3', 'server: close(3) = 0']);
});

test('what pthread_create does to signals is left out, what the program does is not', () => {
  const [step] = tell([
    '10 1.0 rt_sigaction(SIGRT_1, {sa_handler=0x7f0000000000, sa_mask=[], sa_flags=SA_RESTORER}, NULL, 8) = 0 <0.001>',
    '10 1.1 rt_sigprocmask(SIG_UNBLOCK, [RTMIN RT_1], NULL, 8) = 0 <0.001>', '10 1.2 rt_sigprocmask(SIG_BLOCK, ~[], [], 8) = 0 <0.001>',
    '10 1.3 rt_sigprocmask(SIG_SETMASK, [], NULL, 8) = 0 <0.001>', '10 1.4 rt_sigprocmask(SIG_BLOCK, [CHLD], NULL, 8) = 0 <0.001>',
  ]);
  assert.deepEqual(show(step), ['server: rt_sigprocmask(SIG_BLOCK, [CHLD], NULL, 8) = 0']);
});

test('signals that a server puts back to their defaults at its start are left out, and its reports are told', () => {
  const report = 'pwritev2(2, [{iov_base="client gone\\n", iov_len=12}], 1, -1, RWF_NOWAIT) = 12';
  const [step] = tell([
    '10 1.0 rt_sigaction(SIGCHLD, {sa_handler=SIG_DFL, sa_mask=[CHLD], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f}, {sa_handler=SIG_IGN}, 8) = 0 <0.001>',
    `10 1.1 ${report} <0.001>`,
  ]);
  assert.deepEqual(show(step), [`server: ${report}`]);
});

test('a spinning server is told once, and still spins in the next step', () => {
  const again = 'accept4(3, NULL, NULL, SOCK_NONBLOCK) = -1 EAGAIN (Resource temporarily unavailable) <0.000001>';
  const story = tell([...Array(500).keys()].map((turn) => `10 ${(1 + turn / 100).toFixed(2)} ${again}`), [3, 90]);
  assert.deepEqual(show(story[0]), [`server: ${again.replace(/ <.*/, '')}`, 'server: 1 x 500']);
  assert.deepEqual([story[1].lines, story[1].idle], [[], [{ role: 'server', repeats: true }]]);
  assert.deepEqual(story[2].idle, []);
});

test('a call of a spinning server that the border of a step cuts was not asleep', () => {
  const story = tell(['10 2.9 read(4, 0x7f, 10) = -1 EAGAIN (Resource temporarily unavailable) <0.2>'], [3], { isBusy: true });
  assert.deepEqual(story.map(({ lines }) => lines.length), [0, 1]);
});
