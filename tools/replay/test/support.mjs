// What the tests share.

import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { patience } from '../../observe/waits.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** Runs a program of tools/replay: {status, out, err}. `input` are pieces of stdin, each written when `out` has the text of the piece before. */
export function run(program, words, { env = {}, input = [], command = process.execPath } = {}) {
  return new Promise((resolve) => {
    const script = command === process.execPath ? [join(root, 'tools/replay', program), ...words] : words;
    const child = spawn(command, script, { cwd: root, env: { ...process.env, ...env } });
    let [out, err] = ['', ''];
    const pending = [...input];
    const feed = () => {
      while (pending.length > 0 && out.includes(pending[0].after)) {
        out = '';
        child.stdin.write(pending.shift().keys);
      }
    };
    let all = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
      all += text;
      feed();
    });
    child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
    if (input.length === 0) child.stdin.end();
    // What hangs is ended, and its test fails by the status.
    const timer = setTimeout(() => child.kill('SIGKILL'), patience);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, out: all, err });
    });
  });
}
