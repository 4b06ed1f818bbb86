// ./learn ask --check: good replies of each mode pass, and each rule that is broken is found.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { checkReply } from '../ask-check.mjs';
import { modes } from '../ask-modes.mjs';
import { explainCommand, findCommands } from '../ask-references.mjs';
import { Fixture } from './ask-fixture.mjs';

const fixture = new Fixture();
after(() => fixture.remove());

const good = {
  explain: `explain 02-two, turn 1
Ask: What do you know already of a process that has ended?

explain 02-two, turn 2
Example: Three children end, and the loop in reap_all() goes around three times [reap.hpp:3].
Term: To reap is to ask for the status of an ended child [docs/02-two.md:71].
See: \`./learn trace 2 --plain\`; look for the calls after the child's end. What do you expect?
Teach back: Say in two sentences why there is a loop.
`,
  socratic: `**socratic 02-two, turn 1**

Look: [reap.hpp:2-4], and then \`./learn watch 2\`
Question: How often does \`reap_all()\` ask the kernel (see \`waitpid(2)\`) when three children end at once?

**socratic 02-two, turn 2**

Look: [trace:2]
**Hint:** Signals of one kind are counted only once.
Question: What does the second turn of the loop find?
`,
  quiz: `quiz 02-two, turn 1
Question: The parent never calls reap_all(), and ten children end. What does ps show?
- A. Ten lines with defunct.
- B. Nothing of them.
- C. One line for all.
Commit: Name a letter, and how sure you are, from 1 to 3.

quiz 02-two, turn 2
Answer: A. Each keeps its own entry [docs/02-two.md:71]. Not B, since only the parent takes an entry away. Not C, since each process has one.
See: ./learn watch 2, the column state.
Question: Who gets an orphan's status?
- A. The kernel.
- B. Process 1.
- C. The client.
Commit: A letter, and how sure you are.
`,
  diagnose: `diagnose 02-two, turn 1
Evidence: Zombies stay after a crowd [evidence:12], [question:1].
Hypothesis 1: The handler takes one child for each signal [reap.hpp:3].
Hypothesis 2: The handler is never called; where it is set is not in the material.
Tell apart: \`./learn trace 2\`
If 1: one wait follows the signal
If 2: no wait follows it
Predict: Which of the two do you expect, and why?
`,
  practice: `practice 02-two, turn 1
Symptom: A restarted server cannot have its port while an old client is connected.
Task: After a restart the port is free at once.
Where: serve() and main() [server.cpp:5-8]
Check: \`./learn test 2\` stays green, and \`./learn watch 2\` shows one listener.
Predict: What does it show before your change?

practice 02-two, turn 2
Hint: Count the processes that hold the listener.
Question: Which of them needs it?
`,
};

for (const mode of modes) {
  test(`a good reply passes: ${mode}`, () => {
    assert.deepEqual(checkReply(fixture.root, good[mode]), []);
    assert.deepEqual(checkReply(fixture.root, good[mode], mode), []);
  });
}

// [what is broken, the mode, what is replaced, what it becomes, what must be found]
const bad = [
  ['no first line', 'explain', 'explain 02-two, turn 1\n', '', /line 1: the first line is not `explain CHAPTER, turn N`/],
  ['a chapter that does not exist', 'explain', 'explain 02-two, turn 1', 'explain 02-tow, turn 1', /there is no chapter 02-tow/],
  ['another mode', 'socratic', /socratic 02/g, 'explain 02', /it says that it is explain, not socratic/],
  ['a turn is missing', 'explain', 'turn 2', 'turn 3', /turn 3 comes after turn 1/],
  ['no label', 'explain', 'Ask: What', 'What', /it has none of the labels of explain/],
  ['an explanation in turn 1', 'explain', '\n\nexplain 02-two, turn 2\nExample:', '\nExample:', /"Example:" stands in turn 1/],
  ['two questions at once', 'explain', 'has ended?', 'has ended? And of signals?', /"Ask:" asks 2 questions, and not one/],
  ['the term first', 'explain', /(Example:.*\n)(Term:.*\n)/, '$2$1', /the term comes before its example/],
  ['no teach-back', 'explain', /Teach back:.*\n/, '', /"Teach back:" is missing/],
  ['an empty teach-back', 'explain', /Teach back:.*\n/, 'Teach back:\n', /there is nothing behind "Teach back:"/],
  ['words after the teach-back', 'explain', /(See:.*\n)(Teach back:.*\n)/, '$2$1', /"See:" stands behind the teach-back/],
  ['no citation', 'explain', ' [reap.hpp:3]', '', /line 5: "Example:" cites no place/],
  ['no command', 'explain', '`./learn trace 2 --plain`; look', 'Look', /"See:" names no \.\/learn command/],
  ['a line that does not exist', 'explain', 'reap.hpp:3', 'reap.hpp:300', /reap\.hpp:300: chapters\/02-two\/reap\.hpp has 5 lines/],
  ['a file that does not exist', 'explain', 'reap.hpp:3', 'ring.hpp:3', /there is no file ring\.hpp in 02-two/],
  ['a file outside of the project', 'explain', 'reap.hpp:3', '../../x.hpp:3', /there is no file|no place|cites no place/],
  ['a range that ends before it begins', 'explain', 'reap.hpp:3', 'reap.hpp:3-2', /reap\.hpp:3-2 is no place/],
  ['a line of the trace that does not exist', 'socratic', 'trace:2', 'trace:20', /trace:20: the trace of 02-two has 2 lines/],
  ['a command that does not exist', 'explain', './learn trace 2', './learn tracing 2', /there is no command \.\/learn tracing/],
  ['an option that does not exist', 'explain', '--plain', '--plane', /\.\/learn trace has no option --plane/],
  ['a command for a chapter that does not exist', 'explain', './learn trace 2', './learn trace 22', /there is no chapter 22/],
  ['a fence of code', 'socratic', 'Question: How', '```cpp\nwaitpid(-1, nullptr, 0);\n```\nQuestion: How', /line 5: there is code in it, and socratic shows none: waitpid/],
  ['code in a span', 'socratic', '`reap_all()`', '`reap_all(true)`', /there is code in it.*reap_all\(true\)/],
  ['a line of code', 'socratic', 'Question: How', 'while (wait_for_one() > 0) {\nQuestion: How', /there is code in it/],
  ['two questions in a turn', 'socratic', 'at once?', 'at once? Or one?', /line 1: it asks 2 questions, and not one/],
  ['no question', 'socratic', 'at once?', 'at once.', /it asks 0 questions/],
  ['nowhere to look', 'socratic', '[trace:2]', 'at the trace', /"Look:" cites no place and names no/],
  ['the same hint twice', 'socratic', 'Look: [reap.hpp:2-4], and', 'Hint: Signals of one kind are counted once.\nLook: [reap.hpp:2-4], and', /the hint is that of line 3/],
  ['an answer in turn 1', 'quiz', 'Commit: Name', 'Answer: A [reap.hpp:1]\nCommit: Name', /"Answer:" stands in turn 1: the learner commits first/],
  ['an answer behind its question', 'quiz', /(Answer:.*\nSee:.*\n)([\s\S]*)/, '$2$1', /its answer stands behind it/],
  ['nothing to commit to', 'quiz', /Commit: Name.*\n/, '', /"Commit:" is missing/],
  ['two options', 'quiz', '- C. One line for all.\n', '', /the question has 2 options/],
  ['a question of the text', 'quiz', 'The parent never calls reap_all(), and ten children end. What does ps show?', 'What is left of a child that has ended, before its parent asks?', /the text asks this question already/],
  ['an answer without a place', 'quiz', ' [docs/02-two.md:71]', '', /"Answer:" cites no place/],
  ['an answer without a command', 'quiz', './learn watch 2, the', 'The', /"See:" names no/],
  ['one hypothesis', 'diagnose', /Hypothesis 2:.*\n/, '', /it has one hypothesis, and not two/],
  ['three hypotheses', 'diagnose', /(Hypothesis) 2(:.*\n)/, '$1 2$2$1 3$2', /line 5: it has 3 hypotheses, and not two/],
  ['a hypothesis without a place', 'diagnose', ' [reap.hpp:3]', '', /"Hypothesis 1:" cites no place/],
  ['no evidence', 'diagnose', /Evidence:.*\n/, '', /"Evidence:" is missing/],
  ['nothing that tells them apart', 'diagnose', '`./learn trace 2`', 'think', /"Tell apart:" names no/],
  ['two commands', 'diagnose', '`./learn trace 2`', '`./learn trace 2` or `./learn watch 2`', /"Tell apart:" names 2 commands/],
  ['one of the two outcomes', 'diagnose', /If 2:.*\n/, '', /"If 2:" is missing/],
  ['a mended line', 'diagnose', 'If 1:', '```diff\n-    one();\n+    all();\n```\nIf 1:', /there is code in it, and the learner is the one who mends it/],
  ['the patch', 'practice', 'Predict: What', '```diff\n+    listener.close();\n```\nPredict: What', /an exercise never shows its patch/],
  ['no check', 'practice', /Check:.*\n/, '', /"Check:" is missing/],
  ['no place', 'practice', ' [server.cpp:5-8]', '', /"Where:" cites no place/],
  ['a hint too early', 'practice', 'Predict: What', 'Hint: It is the child.\nPredict: What', /a hint waits until the learner asks/],
  ['the symptom of a planted bug', 'practice', /Symptom:.*\n/, 'Symptom: Some zombies stay.\n', /this is the symptom of a planted bug/],
  ['a question in turn 1 without its label', 'explain', 'Ask: What', 'See: What', /"Ask:" is missing/],
  ['no question with its label', 'socratic', 'Question: How often', 'How often', /"Question:" is missing/],
  ['two quiz questions at once', 'quiz', 'Commit: Name', 'Question: And two?\nCommit: Name', /there is a second question; one at a time/],
  ['a check without a command', 'practice', /Check:.*\n/, 'Check: Look whether it holds.\n', /"Check:" names no/],
  ['a hint without a question', 'practice', 'Question: Which of them needs it?\n', '', /"Question:" is missing/],
  ['the same hint in the next turn', 'practice', /$/, '\npractice 02-two, turn 3\nHint: Count the processes that hold the listener!\nQuestion: And now?\n', /the hint is that of line 9/],
  ['a planted bug', 'explain', 'Term: To', 'Term: The bug is\n    wait_for_one_and_no_other();\nTo', /this turn gives away a line of a planted bug \(tests\/bugs\/02-two\/1\.patch\)/],
  ['a solution', 'explain', 'Term: To', 'Term: Write `say_goodbye_to_all_children();` To', /this turn gives away a line of a solution/],
  ['an answer of the text\'s quiz', 'explain', 'Term: To', 'Term: The entry **keeps** the status\nuntil somebody asks for it. To', /this turn gives away an answer of the quiz \(docs\/02-two\.md\)/],
  ['a folded answer', 'explain', 'Term: To', 'Term: The table of processes fills up after some days of work. To', /this turn gives away a folded answer/],
];

for (const [what, mode, from, to, form] of bad) {
  test(`a bad reply is found: ${mode}: ${what}`, () => {
    const text = good[mode].replace(from, to);
    assert.notEqual(text, good[mode], 'the fixture does not change the reply');
    const findings = checkReply(fixture.root, text, mode).map(({ line, words }) => `line ${line}: ${words}`);
    assert.match(findings.join('\n'), form);
  });
}

test('what is given away is not given away again by saying so', () => {
  const [{ words }] = checkReply(fixture.root, good.explain.replace('Term: To', 'Term: wait_for_one_and_no_other(); To'));
  assert.match(words, /1\.patch/);
  assert.doesNotMatch(words, /no_other/);
});

test('the command tells what it finds and ends with 1; a good reply ends with 0', async () => {
  const right = await fixture.askWith({ input: good.explain }, '--check', '-');
  assert.deepEqual([right.status, right.stderr], [0, '']);
  assert.match(right.stdout, /keeps the rules that a machine can check/);
  fixture.write('docs/reply.md', good.explain.replace(/Teach back:.*\n/, ''));
  const wrong = await fixture.askWith({ cwd: `${fixture.root}/docs` }, '--check', 'reply.md');
  assert.equal(wrong.status, 1);
  assert.equal(wrong.stdout, 'line 4: "Teach back:" is missing\n');
  assert.match(wrong.stderr, /one thing in the reply breaks the rules/);
});

test('a reply that is empty, absent or no text is refused in words', async () => {
  for (const input of ['', '\n \n', '```\n```\n']) assert.match((await fixture.askWith({ input }, '--check', '-')).stdout, /line 1: there is nothing in it/);
  assert.match((await fixture.ask('--check', 'nowhere.md')).stderr, /cannot read the reply: .*no such file or directory/);
  assert.match((await fixture.askWith({ input: Buffer.from([0xff, 0xfe, 0x00]) }, '--check', '-')).stderr, /not UTF-8/);
  assert.match((await fixture.askWith({ input: 'hello' }, '--check', '-')).stdout, /its mode is not known; name it/);
});

test('a command ends with its line, its span or its sentence', () => {
  assert.deepEqual(findCommands('Type `./learn trace 3 --plain`, then ./learn test 3.\n"./learn watch 3" too').map(({ words }) => words.join(' ')), ['trace 3 --plain', 'test 3', 'watch 3']);
  assert.equal(explainCommand(fixture.root, ['test', '2', '-R', 'zombie']), null);
  assert.equal(explainCommand(fixture.root, ['run', '2', '--port', '1']), null);
});
