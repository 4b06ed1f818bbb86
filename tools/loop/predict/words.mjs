// How the questions speak of calls, results and roles.

import { kindsIn } from './facts.mjs';

// What the C++ code calls where strace shows another name.
const sourceNames = {
  sendto: 'send', recvfrom: 'recv', wait4: 'waitpid', rt_sigaction: 'sigaction', rt_sigprocmask: 'sigprocmask',
  rt_sigtimedwait: 'sigtimedwait or sigwait', rt_sigsuspend: 'sigsuspend', eventfd2: 'eventfd', signalfd4: 'signalfd',
  pselect6: 'select', ppoll: 'poll', epoll_pwait: 'epoll_wait', execve: 'execvp', exit: 'the end of a thread',
  exit_group: 'exit, or the end of main', clone: 'std::thread or std::async',
};

/** `sendto` (in the code: `send`). */
export function nameCallInWords(name) {
  return name in sourceNames ? `${name} (in the code: ${sourceNames[name]})` : name;
}

const rests = { spins: 'in none: it makes the same calls again and again', ended: 'in none: it has ended' };

export const nameRest = (value) => rests[value] ?? nameCallInWords(value);

const results = { child: 'the number of the new process', thread: 'the number of the new thread' };

/** `-1, with EAGAIN`. */
export const nameResult = (value) => results[value] ?? value.replace(/^-1 (\w+)$/, '-1, with $1');

/** A function that names a kind of role, as "a child process"; the server's first one by what stands beside it. */
export function makeNames(...stories) {
  const kinds = kindsIn(...stories);
  const server = kinds.includes('child') && kinds.includes('thread') ? 'the first process (its main thread)'
    : kinds.includes('child') ? 'the parent process'
      : kinds.includes('thread') ? 'the main thread' : 'the server';
  const names = { server, child: 'a child process', thread: 'a thread that the server has started' };
  return (kind) => names[kind];
}

export const startSentence = (text) => text[0].toUpperCase() + text.slice(1);

/** A step as the beginning of a question: "The client connects." */
export const describeStep = (heading) => `${startSentence(heading)}.`;
