// No prompt gives anything away, and all that a prompt mentions exists: for every chapter of the project and every mode.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listChapters } from '../../chapters.mjs';
import { Scope } from '../../observe/program.mjs';
import { writeCore } from '../ask-core.mjs';
import { gatherMaterial, readChapterText } from '../ask-material.mjs';
import { modes } from '../ask-modes.mjs';
import { fitPrompt } from '../ask-prompt.mjs';
import { explainCommand, explainPlace, findCommands, findPlaces } from '../ask-references.mjs';
import { findLeaks, readSecrets } from '../ask-secrets.mjs';
import { Fixture, realRoot } from './ask-fixture.mjs';

/** The prompts of a chapter, one for each mode, as the command writes them. */
async function writePrompts(root, chapter) {
  const text = readChapterText(root, chapter);
  const complaints = [];
  const material = await gatherMaterial(new Scope(), root, chapter, text, (words) => complaints.push(words));
  assert.deepEqual(complaints, []);
  return modes.map((mode) => ({ mode, text: fitPrompt(writeCore(root, mode, chapter, { evidence: [], questions: text.questions }), material).text }));
}

const describeLeaks = (leaks) => leaks.map(({ kind, source, text }) => `${kind} (${source}): ${text}`);

for (const chapter of listChapters(realRoot)) {
  test(`the prompts of ${chapter} give nothing away, and what they mention exists`, async () => {
    const secrets = readSecrets(realRoot, chapter);
    for (const kind of ['a folded answer', 'an answer of the quiz']) assert.ok(secrets.some((secret) => secret.kind === kind), `no secret is ${kind}`);
    for (const { mode, text } of await writePrompts(realRoot, chapter)) {
      assert.deepEqual(describeLeaks(findLeaks(text, secrets)), [], mode);
      assert.deepEqual(text.match(/.*\bbugs?\s+\d.*/gi) ?? [], [], `${mode}: no bug by its number`);
      assert.deepEqual(findCommands(text).map(({ words }) => explainCommand(realRoot, words)).filter(Boolean), [], mode);
      assert.deepEqual(findPlaces(text).map((place) => explainPlace(realRoot, place, { chapter, traceLines: Infinity })).filter(Boolean), [], mode);
      assert.deepEqual(findPaths(text).filter((path) => !existsSync(join(realRoot, path))), [], mode);
    }
  });
}

// Paths of the project's own folders; a pattern (*) and what is only there once it is built (build/) are none.
function findPaths(text) {
  return [...text.matchAll(/(?<![\w./~$-])(?:chapters|common|docs|tests|tools|cmake)\/[\w./*{},?-]*/g)].map(([path]) => path.replace(/[.,]+$/, ''))
    .filter((path) => !/[*{?]/.test(path));
}

test('every part of a text that a reader opens is in no prompt, whatever the mode', async (context) => {
  const fixture = new Fixture();
  context.after(() => fixture.remove());
  const secrets = readSecrets(fixture.root, '02-two');
  assert.deepEqual([...new Set(secrets.map(({ kind }) => kind))].sort(), ['a folded answer', 'a line of a planted bug', 'a line of a solution', 'an answer of the quiz']);
  const [{ text }] = await writePrompts(fixture.root, '02-two');
  assert.deepEqual(findLeaks(text, secrets), []);
  // A leak is found wherever it is planted, and however it is wrapped.
  for (const secret of secrets) {
    const planted = text.replace('# The code', `${secret.text.replace(' ', '\n  12 | ')}\n\n# The code`);
    assert.ok(findLeaks(planted, secrets).includes(secret), `not found: ${secret.text}`);
  }
});

test('an answer that stands in an unusual fold is no part of a prompt either', async (context) => {
  const fixture = new Fixture();
  context.after(() => fixture.remove());
  fixture.edit('docs/02-two.md', '<summary>The answer</summary>', '<summary>Who reads</summary>');
  fixture.edit('docs/02-two.md', '<details><summary>An answer</summary>', '<details>\n<summary>An answer, and more</summary>');
  fixture.edit('docs/02-two.md', 'Signals of one kind do not queue.', 'Signals of one kind do not queue.\n\n<details><summary>A hint</summary>\n\nThe hint in the fold of an explanation is hidden.\n\n</details>\n');
  const [{ text }] = await writePrompts(fixture.root, '02-two');
  for (const words of ['The first child calls it', 'fills up', 'The hint in the fold', 'word of goodbye', 'keeps the status']) assert.ok(!text.includes(words), words);
  assert.match(text, /Signals of one kind do not queue/);
});

test('of the confusions no row names a planted bug', () => {
  for (const chapter of listChapters(realRoot)) {
    assert.ok(!readChapterText(realRoot, chapter).confusions?.lines.some((line) => /\bbug \d/.test(line)), chapter);
  }
});
