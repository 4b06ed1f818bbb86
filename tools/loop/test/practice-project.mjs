// A project made up for the tests of practice: one chapter, two bugs, an exercise; with stand-ins for CMake, the compiler,
// ctest and the chapter's tests, so that a whole loop takes a moment. The program itself is the real one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const realRoot = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');

const server = `// Chapter 03: made up.

/// Counts to a number.
int count(int number) {
    // One is not enough.
    while (number > 0) number -= 1;
    return number;
}

/// Greets.
const char* greet() {
    return "hello";
}
`;

const bug = (number, test, from, to) => `Symptom: symptom of ${number}
Hint: question of ${number}?
Found by: ${test}

--- a/chapters/03-fork/server.cpp
+++ b/chapters/03-fork/server.cpp
@@ -1,1 +1,1 @@
-${from}
+${to}
`;

const exercise = `Exercise: Say goodbye.
Task: the server says goodbye
Hint: What does it say now?
Shown by: it says goodbye

--- a/chapters/03-fork/server.cpp
+++ b/chapters/03-fork/server.cpp
@@ -11,3 +11,3 @@
 const char* greet() {
-    return "hello";
+    return "goodbye";
 }
`;

// Of a server, which is here the text that was compiled. One test takes time when there is a file for it.
const tests = `#!/bin/bash
[[ ! -e $WORK/hang ]] || { echo $$ >"$WORK/hangs"; exec sleep 300; }
case $1 in
  "it counts\\\\, all of it") grep -q 'while (number' "$SERVER" ;;
  "it greets") grep -q 'hello' "$SERVER" ;;
  "it says goodbye") grep -q 'goodbye' "$SERVER" ;;
  *) echo "No test cases matched '$1'"; exit 1 ;;
esac && { echo "All tests passed"; exit; }
printf 'tests.cpp:1: FAILED:\\n  CHECK( it )\\nsee it happen: ./learn trace 3 %s\\n' "$SERVER_WORDS"
exit 42
`;

const cmake = `#!/bin/bash
[[ $1 != --version ]] || { echo "cmake version 3.31.6"; exit; }
mkdir -p build/bin build/common
if [[ $1 == --preset ]]; then
  printf 'CMAKE_HOME_DIRECTORY:INTERNAL=%s\\n' "$PWD" >build/CMakeCache.txt
  printf 'build bin/03-fork: LINK x\\n  LINK_LIBRARIES = common/libcommon.a\\n\\n' >build/build.ninja
  printf '[{"file": "%s/chapters/03-fork/server.cpp", "command": "%s/bin/compile -O2 -o x -c y"}]' "$PWD" "$PWD" >build/compile_commands.json
  touch build/common/libcommon.a
fi
cp "$WORK/tests" build/bin/03-fork-tests
`;

const compiler = `#!/bin/bash
sources=() out=
while (($#)); do
  case $1 in
    -o) out=$2; shift ;;
    *.cpp) sources+=("$1") ;;
  esac
  shift
done
if grep -n 'no C++' "\${sources[@]}" /dev/null | sed 's/:no C++.*/: error: that is no C++/' >&2 && grep -q 'no C++' "\${sources[@]}"; then exit 1; fi
{ echo '#!/bin/sh'; echo 'echo server "$@"; exit'; cat "\${sources[@]}"; } >"$out"
chmod +x "$out"
`;

const ctest = `#!/bin/bash
while (($#)); do
  [[ $1 != --output-junit ]] || report=$2
  shift
done
check() { if "$PWD/build/bin/03-fork-tests" "$1" >/dev/null; then echo run; else echo fail; fi; }
greets=$(check "it greets")
[[ $SERVER_WORDS == --practice && ! -e $WORK/any-greeting ]] || greets=run
printf '<testcase name="03-fork/it counts, all of it" status="%s">\\n<testcase name="03-fork/it greets" status="%s">\\n' \\
  "$(check 'it counts\\, all of it')" "$greets" >"$report"
! grep -q 'status="fail"' "$report"
`;

export class Project {
  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'learn-practice-'));
    const files = {
      'CMakePresets.json': '{}',
      'common/fd.hpp': '',
      'chapters/03-fork/CMakeLists.txt': 'add_chapter(server.cpp)\n',
      'chapters/03-fork/server.cpp': server,
      'tests/chapters/03-fork.cpp': '',
      'tests/bugs/03-fork/1.patch': bug(1, 'it counts, all of it', '    while (number > 0) number -= 1;', '    if (number > 0) number -= 1;'),
      'tests/bugs/03-fork/2.patch': bug(2, 'it greets', '    return "hello";', '    return "";'),
      'tests/exercises/03-fork/1.patch': exercise,
      tests,
      'bin/cmake': cmake,
      'bin/ctest': ctest,
      'bin/compile': compiler,
    };
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    for (const name of ['tests/../bin/cmake', 'bin/ctest', 'bin/compile']) chmodSync(join(this.root, name), 0o755);
    symlinkSync(join(realRoot, 'tools'), join(this.root, 'tools'));
  }

  write(name, text) {
    // `tests` is a folder and a file's name: the file lies in bin/.
    const path = join(this.root, name === 'tests' ? 'bin/tests' : name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (name === 'tests') chmodSync(path, 0o755);
  }

  read(name) {
    return readFileSync(join(this.root, name), 'utf8');
  }

  change(name, from, to) {
    this.write(name, this.read(name).replace(from, to));
  }

  remove() {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Runs ./learn practice WORDS with this as stdin. Returns {code, out, err, words: out on one line}; `whileRunning(child)` is called at the start. */
  async practice(words, { input = '', environment = {}, whileRunning = () => {}, tool = 'practice' } = {}) {
    const child = spawn(process.execPath, [join(realRoot, `tools/loop/${tool}.mjs`), ...words], {
      cwd: this.root,
      env: {
        ...process.env, PATH: `${this.root}/bin:${process.env.PATH}`, WORK: join(this.root, 'bin'), LEARN_ROOT: this.root, LEARN_FROM: this.root,
        LEARN_USAGE: '', LEARN_YES: '', CI: '', NO_COLOR: '1', SERVER_WORDS: '', ...environment,
      },
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => { out += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
    child.stdin.on('error', () => {}); // It may end without having read.
    child.stdin.end(input);
    const running = whileRunning(child);
    const [code, signal] = await once(child, 'close');
    await running;
    return { code: code ?? signal, out, err, words: out.replace(/\s+/g, ' ') };
  }
}
