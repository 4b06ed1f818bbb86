// Finds where a call is made in a chapter's code, and where the chapter's text speaks of that line.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listChapterFiles } from '../../chapters.mjs';
import { Document } from '../../docs/lib/markdown.mjs';
import { familyOf } from './facts.mjs';

// How the code writes a call that it does not write as ::NAME(.
const forms = {
  sendto: [/::send\(/], recvfrom: [/::recv\(/], wait4: [/::waitpid\(/], rt_sigaction: [/::sigaction\(/],
  rt_sigprocmask: [/::sigprocmask\(/, /::pthread_sigmask\(/], rt_sigtimedwait: [/::sigtimedwait\(/, /::sigwait(info)?\(/],
  eventfd2: [/::eventfd\(/], signalfd4: [/::signalfd\(/], epoll_pwait: [/::epoll_wait\(/], pselect6: [/::select\(/], ppoll: [/::poll\(/],
  execve: [/::execv[pe]*\(/], exit_group: [/::_exit\(/, /::exit\(/], exit: [], clone: [/std::j?thread\(/, /std::async\(/], close: [/\.close\(\)/, /~Fd\b/, /::close\(/],
  io_uring_setup: [/::io_uring_queue_init\w*\(/], io_uring_register: [/::io_uring_register\w+\(/, /::io_uring_setup_buf_ring\(/],
  io_uring_enter: [/::io_uring_submit_and_wait\w*\(/, /::io_uring_submit\w*\(/],
};

// Where a ring is used, an operation takes the place of the call.
const operations = {
  accept: /::io_uring_prep_(multishot_)?accept\w*\(/, read: /::io_uring_prep_(read|recv)\w*\(/, write: /::io_uring_prep_(send|write)\w*\(/,
};

const mostPlaces = 3;

/** The code of a chapter, or of common/: [{path, lines}]. */
function readFiles(root, folder) {
  return listChapterFiles(join(root, folder)).filter((name) => /pp$/.test(name))
    .map((name) => ({ path: `${folder}/${name}`, lines: readFileSync(join(root, folder, name), 'utf8').split('\n') }));
}

/**
 * The places where the chapter's code makes one of the calls: [{path, line, text}], those first that the chapter `other`
 * does not have. Where the chapter makes it nowhere, the operation that does the same, or the place in common/, or that
 * in the other chapter. Of a call that `isAbsent` from the trace, the operation alone; of one that
 * `isGone`, the place in the other chapter. 'FIN' stands for the calls that send one; which process does is not in the code
 * of a server that forks.
 */
export function findCode(root, chapter, other, names, { isAbsent = false, isGone = false } = {}) {
  const [mine, theirs] = [chapter, other].map((name) => (name ? readFiles(root, `chapters/${name}`) : []));
  const common = readFiles(root, 'common');
  const old = new Set(theirs.flatMap(({ lines }) => lines.map((text) => text.trim())));
  const operationsOf = (name) => [operations[familyOf(name)]].filter(Boolean);
  const forks = mine.some(({ lines }) => lines.some((text) => /::fork\(/.test(text)));
  const calls = names.flatMap((name) => (name === 'FIN' ? (forks ? [] : ['close', 'shutdown']) : [name]));
  const searches = isGone ? [[theirs, formsOf]] : isAbsent ? [[mine, operationsOf]] : [[mine, formsOf], [mine, operationsOf], [common, formsOf], [theirs, formsOf]];
  for (const [files, formsFor] of searches) {
    const found = calls.flatMap((name) => formsFor(name).flatMap((form) => findLines(files, form)));
    const sorted = [...found.filter(({ text }) => !old.has(text)), ...found.filter(({ text }) => old.has(text))];
    const unique = sorted.filter(({ path, line }, at) => sorted.findIndex((place) => place.path === path && place.line === line) === at);
    if (unique.length > 0) return unique.slice(0, mostPlaces);
  }
  return [];
}

const formsOf = (name) => forms[name] ?? [new RegExp(`::${name}\\(`)];

function findLines(files, form) {
  return files.flatMap(({ path, lines }) => lines.flatMap((text, at) => (
    form.test(text) && !/^\s*\/\//.test(text) ? [{ path, line: at + 1, text: text.trim() }] : [])));
}

/** Reads the text of a chapter; null where it has none. */
export function readText(root, chapter) {
  const path = `docs/${chapter}.md`;
  return existsSync(join(root, path)) ? new Document(path, readFileSync(join(root, path), 'utf8')) : null;
}

/** Where a text shows one of the code places in a block: {line, heading}, or null. */
export function findInText(text, places) {
  if (text === null) return null;
  const blocks = text.markersNamed('diff', 'file', 'code').map((marker) => text.findFence(marker)).filter(Boolean);
  for (const place of places) {
    for (const { open, close } of blocks) {
      const at = text.lines.slice(open + 1, close ?? undefined).findIndex((line) => line.replace(/^[+ ]/, '').trim() === place.text);
      if (at !== -1) return { line: open + 2 + at, heading: headingOf(text, open + 2 + at) };
    }
  }
  return null;
}

/** The section of a text in which the session is predicted: {line, heading}, or null. */
export function findPrediction(text) {
  const heading = text?.headings.find((one) => /^Predict\b/.test(one.text));
  return heading ? { line: heading.line, heading: heading.text } : null;
}

const headingOf = (text, line) => text.headings.filter((heading) => heading.line <= line).at(-1)?.text ?? '';
