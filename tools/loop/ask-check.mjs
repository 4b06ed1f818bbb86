// Finds where a reply breaks the rules of its prompt, as far as a machine can tell.

import { listChapters } from '../chapters.mjs';
import { nameOf } from './progress.mjs';
import { checkForm } from './ask-check-forms.mjs';
import { readSymptoms } from './ask-core.mjs';
import { countTraceLines, readChapterText } from './ask-material.mjs';
import { modes } from './ask-modes.mjs';
import { explainCommand, explainPlace, findCommands, findPlaces } from './ask-references.mjs';
import { findLeaks, readSecrets } from './ask-secrets.mjs';
import { readTurns } from './ask-turns.mjs';

/**
 * Looks at a reply, or at several of them, one after the other. `mode` is what it should be, or undefined: then its first line
 * says it. Returns [{line, words}].
 */
export function checkReply(root, text, mode) {
  const turns = readTurns(text, modes);
  if (turns.length === 0) return [{ line: 1, words: 'there is nothing in it' }];
  const findings = [];
  const add = (line, words) => findings.push({ line, words });
  if (turns[0].number === undefined) {
    add(turns[0].line, `the first line is not \`${mode ?? 'MODE'} CHAPTER, turn N\`, as in \`explain 03-fork, turn 1\``);
    if (mode === undefined) {
      add(turns[0].line, 'so its mode is not known; name it: ./learn ask --check REPLY MODE');
      return findings;
    }
  }
  checkOrder(turns, mode, add);
  const known = new Map(); // what was read of each chapter
  for (const turn of turns) checkTurn(root, { ...turn, mode: turn.mode ?? mode }, turns, known, add);
  return findings.sort((a, b) => a.line - b.line);
}

function checkOrder(turns, mode, add) {
  turns.forEach((turn, index) => {
    if (turn.number === undefined) return;
    if (mode && turn.mode !== mode) add(turn.line, `it says that it is ${turn.mode}, not ${mode}`);
    const before = turns[index - 1];
    if (before && turn.number !== before.number + 1) add(turn.line, `turn ${turn.number} comes after turn ${before.number}`);
  });
}

function checkTurn(root, turn, turns, known, add) {
  const chapter = findChapterOf(root, turn, add);
  if (chapter && !known.has(chapter)) known.set(chapter, readWhole(root, chapter));
  const { traceLines, secrets, questions, symptoms } = known.get(chapter) ?? nothing;
  const lineOf = (index) => turn.line + turn.text.slice(0, index).split('\n').length - 1;
  for (const place of findPlaces(turn.text)) {
    const words = explainPlace(root, place, { chapter, traceLines });
    if (words) add(lineOf(place.index), words);
  }
  for (const { words, index } of findCommands(turn.text)) {
    const complaint = explainCommand(root, words);
    if (complaint) add(lineOf(index), complaint);
  }
  for (const { kind, source } of oneOfEach(findLeaks(turn.text, secrets))) {
    add(turn.line, `this turn gives away ${kind} (${source}): leave it unread if you want to find that yourself`);
  }
  checkForm(turn, turns, { questions, symptoms }, add);
}

const nothing = { traceLines: 0, secrets: [], questions: [], symptoms: [] };

function readWhole(root, chapter) {
  const { traces, questions } = readChapterText(root, chapter);
  return { traceLines: countTraceLines(traces), secrets: readSecrets(root, chapter), questions, symptoms: readSymptoms(root, chapter) };
}

// Which it was is said, and not what: who reads this may not have read the reply.
function oneOfEach(leaks) {
  return leaks.filter(({ kind, source }, index) => leaks.findIndex((other) => other.kind === kind && other.source === source) === index);
}

// A chapter's number changes when one is inserted before it; its name does not.
function findChapterOf(root, { chapter, line }, add) {
  if (chapter === undefined) return undefined;
  const found = listChapters(root).find((name) => nameOf(name) === nameOf(chapter));
  if (found === undefined) add(line, `there is no chapter ${chapter}`);
  return found;
}
