// Finds where a reply breaks the rules of its prompt, as far as a machine can tell.

import { listChapters } from '../chapters.mjs';
import { nameOf } from './progress.mjs';
import { checkForm } from './ask-check-forms.mjs';
import { countTraceLines, readChapterText } from './ask-material.mjs';
import { modes } from './ask-modes.mjs';
import { explainCommand, explainPlace, findCommands, findPlaces } from './ask-references.mjs';
import { findLeaks, readSecrets } from './ask-secrets.mjs';
import { readTurns } from './ask-turns.mjs';
import { readSymptoms } from './ask-core.mjs';

/**
 * Looks at a reply, or at several of them, one after the other. `mode` is what it should be, or undefined: then its first line
 * says it. Returns [{line, words}].
 */
export function checkReply(root, text, mode) {
  if (text.trim() === '') return [{ line: 1, words: 'there is nothing in it' }];
  const turns = readTurns(text, modes);
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
  for (const turn of turns) checkTurn(root, { ...turn, mode: turn.mode ?? mode }, turns, add);
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

function checkTurn(root, turn, turns, add) {
  const chapter = findChapterOf(root, turn, add);
  const text = chapter ? readChapterText(root, chapter) : undefined;
  const lineOf = (index) => turn.line + turn.text.slice(0, index).split('\n').length - 1;
  for (const place of findPlaces(turn.text)) {
    const words = explainPlace(root, place, { chapter, traceLines: text ? countTraceLines(text.traces) : 0 });
    if (words) add(lineOf(place.index), words);
  }
  for (const { words, index } of findCommands(turn.text)) {
    const complaint = explainCommand(root, words);
    if (complaint) add(lineOf(index), complaint);
  }
  if (chapter) {
    for (const { kind, source, text: secret } of oneOfEach(findLeaks(turn.text, readSecrets(root, chapter)))) {
      add(turn.line, `it gives away ${kind} (${source}): "${secret.length > 60 ? `${secret.slice(0, 60)}…` : secret}"`);
    }
  }
  checkForm(turn, turns, { questions: text?.questions ?? [], symptoms: chapter ? readSymptoms(root, chapter) : [] }, add);
}

// One line for each source and kind: which one it was is enough to know.
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
