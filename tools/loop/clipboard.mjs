// Puts a text on the clipboard, by whichever way this machine has.

import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { isCapable } from '../observe/colour.mjs';
import { Unavailable } from '../observe/problem.mjs';

// Those that need a display are asked only where there is one: without it they fail, some of them late.
const programs = [
  { name: 'wl-copy', words: [], needs: 'WAYLAND_DISPLAY' },
  { name: 'xclip', words: ['-selection', 'clipboard'], needs: 'DISPLAY' },
  { name: 'xsel', words: ['--clipboard', '--input'], needs: 'DISPLAY' },
  { name: 'pbcopy', words: [] },
  { name: 'clip.exe', words: [], needs: 'WSL_DISTRO_NAME', encoding: 'utf16le' },
];
const longestSequence = 74_000; // bytes of base64: some terminals take no longer OSC 52

/**
 * Copies `text`; returns in words how. Throws Unavailable where there is no way. `tty` is the terminal for OSC 52, the escape
 * sequence by which a terminal takes a clipboard's content.
 */
export async function copyToClipboard(text, { env = process.env, tty = '/dev/tty' } = {}) {
  for (const program of programs) {
    if (program.needs && !env[program.needs]) continue;
    if (await pipeInto(program, text, env)) return program.name;
  }
  const sequence = `\x1b]52;c;${Buffer.from(text).toString('base64')}\x07`;
  if (sequence.length <= longestSequence && isCapable(process.stderr) && writeToTerminal(tty, sequence)) {
    return 'the terminal (OSC 52); not every terminal takes it: paste, and where nothing comes, use --out FILE';
  }
  throw new Unavailable(sequence.length > longestSequence
    ? 'no clipboard: there is no wl-copy, xclip, xsel or pbcopy that works here, and the prompt is too long for the terminal\'s own way; use --out FILE, or a smaller --budget'
    : 'no clipboard: there is no wl-copy, xclip, xsel or pbcopy that works here; use --out FILE');
}

// xclip and its like stay behind as a process that owns the selection: only the end of the first process is waited for.
function pipeInto({ name, words, encoding = 'utf8' }, text, env) {
  return new Promise((resolve) => {
    const child = spawn(name, words, { env, stdio: ['pipe', 'ignore', 'ignore'] });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
    child.stdin.on('error', () => {}); // it ended before it has read all: its exit code says it
    child.stdin.end(Buffer.from(text, encoding));
  });
}

function writeToTerminal(tty, sequence) {
  try {
    const file = openSync(tty, 'w');
    try {
      const bytes = Buffer.from(sequence);
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done);
    } finally {
      closeSync(file);
    }
    return true;
  } catch {
    return false; // there is no terminal
  }
}
