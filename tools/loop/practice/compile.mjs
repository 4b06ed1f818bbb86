// Compiles a copy as the default preset compiles its chapter, into the copy's own folder.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readSources } from '../../chapters.mjs';
import { Problem } from '../../observe/problem.mjs';
import { build } from '../build.mjs';
import { explainErrors, readText, writeWhole } from './files.mjs';
import { runGroup } from './run-group.mjs';

/**
 * Makes the copy's executable, unless it is there and nothing has changed, and returns its path. `say` is told what the
 * compiler warns of. Throws Problem with the compiler's words when it does not compile.
 */
export async function compile(scope, copy, say) {
  await build(scope, copy.root, ['common']);
  const { chapter } = copy.task;
  const executable = join(copy.folder, '.build', chapter);
  const command = makeCommand(copy);
  const stamp = join(copy.folder, '.build/stamp');
  const state = describeState(copy, command);
  if (existsSync(executable) && readText(stamp) === state) return executable;

  explainErrors('cannot compile your copy', () => mkdirSync(join(copy.folder, '.build'), { recursive: true }));
  const beside = `${executable}.${process.pid}.new`;
  scope.defer(() => rmSync(beside, { force: true }));
  const { code, output } = await runGroup(scope, 'sh', ['-c', `exec ${command} -o "$0"`, beside], { cwd: join(copy.root, 'build') });
  const words = output.replaceAll(`${copy.root}/`, '').trimEnd();
  if (code !== 0) {
    throw new Problem(`your copy does not compile; this is the compiler's word on ${copy.pathOf()}, and nothing else has changed:\n${words}`);
  }
  if (words !== '') say(`the compiler warns of something in your copy:\n${words}`);
  explainErrors('cannot compile your copy', () => {
    renameSync(beside, executable);
    writeWhole(stamp, state);
  });
  return executable;
}

const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/** The shell's words that compile and link the copy, up to `-o`; to be run in build/. */
export function makeCommand(copy) {
  const { chapter } = copy.task;
  const named = readSources(copy.now.get('CMakeLists.txt') ?? '');
  const sources = named.length > 0 ? named : ['server.cpp'];
  const missing = sources.find((name) => !existsSync(join(copy.folder, name)));
  if (missing) throw new Problem(`there is no ${copy.pathOf(missing)} any more; as it was given it is in ${copy.pathOf(`.practice/given/${missing}`)}`);
  // Warnings are shown, and stop nobody who is looking for a bug.
  return [readFlags(copy.root, chapter), '-Wno-error', ...sources.map((name) => quote(join(copy.folder, name))), readLibraries(copy.root, chapter)].join(' ');
}

// The compiler and its options, as CMake has written them down for the chapter's own server.
function readFlags(root, chapter) {
  const file = join(root, 'build/compile_commands.json');
  const entries = JSON.parse(readText(file) ?? '[]');
  const entry = entries.find((candidate) => candidate.file === join(root, 'chapters', chapter, 'server.cpp'));
  const flags = /^(.*) -o \S+ -c .*$/.exec(entry?.command ?? '')?.[1];
  if (flags === undefined) throw new Problem(`build/compile_commands.json does not say how ${chapter} is compiled; move build/ away, and it will be made anew`);
  return flags;
}

function readLibraries(root, chapter) {
  const rules = readFileSync(join(root, 'build/build.ninja'), 'utf8').split('\n');
  const at = rules.findIndex((line) => line.startsWith(`build bin/${chapter}: `));
  const block = at === -1 ? [] : rules.slice(at + 1, rules.indexOf('', at));
  const line = block.find((words) => words.startsWith('  LINK_LIBRARIES = '));
  if (line === undefined) throw new Problem(`build/build.ninja does not say how ${chapter} is linked; move build/ away, and it will be made anew`);
  return line.slice('  LINK_LIBRARIES = '.length).replace(/\$([ :$])/g, '$1');
}

function describeState(copy, command) {
  const hash = createHash('sha256').update(command).update(String(statSync(join(copy.root, 'build/common/libcommon.a')).mtimeMs));
  for (const [name, text] of copy.now) hash.update(`\0${name}\0${text}`);
  for (const name of readdirSync(join(copy.root, 'common')).sort()) hash.update(readText(join(copy.root, 'common', name)) ?? '');
  return hash.digest('hex');
}
