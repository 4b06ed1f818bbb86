// Makes sense of signals in a trace: which call a signal has interrupted, and how that call came out.
//
// strace shows an interrupted call as `accept(3, ...) = ? ERESTARTSYS`, which is the kernel's note to
// itself. What the program sees is decided when the signal's handler returns: rt_sigreturn then has the
// result -1 EINTR, or the call starts again (SA_RESTART). Without a handler the call always starts
// again, and the program notices nothing.

import { isBirth } from './syscalls.mjs';

const isInterrupted = (item) => item.kind === 'call' && /^\? ERESTART/.test(item.result ?? '');

/**
 * Returns the items without the kernel's notes: an interrupted call has `interrupted: true` instead of
 * a result, rt_sigreturn becomes {kind: 'handler-end', call: its name or null, restarts}, a signal
 * without a handler has `ignored: true`, and the call that it seemed to interrupt goes on.
 */
export function resolveInterruptions(items) {
  const processes = new Map(); // pid to what is known of it
  const kept = [];
  for (const item of items) {
    const state = stateOf(item.pid);
    if (item.kind === 'call' && isBirth(item) && Number(item.result) > 0) {
      processes.set(Number(item.result), newState(new Map(state.handlers)));
    }
    const result = followItem(item, state);
    if (result !== null) kept.push(result);
  }
  return kept;

  function stateOf(pid) {
    if (!processes.has(pid)) processes.set(pid, newState(new Map()));
    return processes.get(pid);
  }
}

// `frames` are the calls that handlers still running have interrupted; `pausedCall` is the latest
// interrupted call as long as it is not known whether a handler runs.
const newState = (handlers) => ({ handlers, frames: [], pausedCall: null });

function followItem(item, state) {
  if (item.kind === 'signal') return followSignal(item, state);
  if (item.kind !== 'call') return item;
  if (item.name === 'rt_sigreturn') return followHandlerEnd(item, state);
  const paused = state.pausedCall;
  if (paused !== null && (item.name === paused.name || item.name === 'restart_syscall')) {
    // No handler came between: the same call goes on.
    Object.assign(paused, { args: item.name === paused.name ? item.args : paused.args, result: item.result, end: item.end });
    state.pausedCall = isInterrupted(paused) ? paused : null;
    return null;
  }
  if (item.name === 'rt_sigaction') noteHandler(item, state.handlers);
  if (item.name === 'execve' && item.result === '0') state.handlers.clear();
  if (isInterrupted(item)) state.pausedCall = item;
  return item;
}

function followSignal(signal, state) {
  if (!state.handlers.get(signal.signal)) return { ...signal, ignored: true };
  const call = state.pausedCall;
  state.pausedCall = null;
  if (call !== null) call.interrupted = true;
  state.frames.push(call?.name ?? null);
  return signal;
}

function followHandlerEnd({ pid, begin, end, result }, state) {
  return { kind: 'handler-end', pid, begin, end, call: state.frames.pop() ?? null, restarts: !/^-1 EINTR/.test(result ?? '') };
}

function noteHandler({ args, result }, handlers) {
  const [, signal, handler] = /^(\w+), \{sa_(?:handler|sigaction)=(\w+)/.exec(args) ?? [];
  if (signal !== undefined && result === '0') handlers.set(signal, !['SIG_IGN', 'SIG_DFL'].includes(handler));
}
