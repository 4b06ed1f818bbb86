// A small project with chapters and questions, and the commands of the loop run in it as a learner runs them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Progress } from '../progress.mjs';

const tools = dirname(dirname(fileURLToPath(import.meta.url)));

export const day = 24 * 60 * 60 * 1000; // ms

/** A question whose right answer is `right`, of A to C, and whose reasons name its subject. */
export const makeQuestion = (subject, right = 'B') => `<!-- quiz -->
**What of \`${subject}\`
in *this* case?**

- A. ${subject} first, as [here](cpp.md#x).
- B. ${subject} second.
- C. Nothing.

<details><summary>Answer</summary>

**${right}.** ${subject} is so. ${['A', 'B', 'C'].filter((letter) => letter !== right).map((letter) => `Not ${letter}: ${subject} is not ${letter}.`).join(' ')}

More of ${subject}.

</details>
<!-- /quiz -->
`;

/** A planted bug that can be read; it fits no chapter's code. */
export const makeBug = (chapter, number) => `Symptom: symptom of ${number}
Hint: question of ${number}?
Found by: it finds ${number}

--- a/chapters/${chapter}/server.cpp
+++ b/chapters/${chapter}/server.cpp
@@ -1,1 +1,1 @@
-right ${number}
+wrong ${number}
`;

export class Project {
  constructor(chapters = ['01-alpha', '02-beta', '03-gamma']) {
    this.root = mkdtempSync(join(tmpdir(), 'learn-loop-'));
    for (const chapter of chapters) {
      this.write(`chapters/${chapter}/CMakeLists.txt`, 'add_chapter(server.cpp)\n');
      this.write(`chapters/${chapter}/server.cpp`, `// Chapter ${chapter.slice(0, 2)}: the idea of ${chapter.slice(3)}.\n`);
      this.write(`tests/chapters/${chapter}.cpp`, '');
      this.write(`tests/bugs/${chapter}/1.patch`, makeBug(chapter, 1));
      this.write(`tests/bugs/${chapter}/2.patch`, makeBug(chapter, 2));
      this.write(`docs/${chapter}.md`, `# Text\n\n## Quiz\n${makeQuestion(`${chapter.slice(3)}1`)}${makeQuestion(`${chapter.slice(3)}2`, 'C')}`);
    }
  }

  write(path, text) {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path) {
    return readFileSync(join(this.root, path), 'utf8');
  }

  exists(path) {
    return existsSync(join(this.root, path));
  }

  remove() {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** The journal as it stands in the file. */
  get progress() {
    return new Progress(this.root, { warn: () => {} });
  }

  /** Adds entries to the journal: each with `ago`, in days. */
  note(...entries) {
    for (const { ago = 0, ...entry } of entries) new Progress(this.root, { now: () => Date.now() - ago * day }).add(entry);
  }

  start(command, words, environment = {}, stdio = 'pipe') {
    const env = { ...process.env, LEARN_ROOT: this.root, LEARN_FROM: this.root, LEARN_USAGE: '', LEARN_TESTS: '', NO_COLOR: '', ...environment };
    return spawn(process.execPath, [join(tools, `${command}.mjs`), ...words], { env, cwd: this.root, stdio });
  }

  /** Runs a command with `input` on its stdin: {code, out, err}. */
  async run(command, words = [], { input = '', environment = {} } = {}) {
    const child = this.start(command, words, environment);
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => { out += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { err += text; });
    child.stdin.on('error', () => {}); // It may have ended before it has read all.
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    return { code, out, err };
  }
}
