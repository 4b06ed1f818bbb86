#!/usr/bin/env node
// Plays the recording of a chapter in the terminal, or those of two chapters side by side.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { withoutNumber } from '../chapters.mjs';
import { isCapable, makePainter } from '../observe/colour.mjs';
import { Problem, Unavailable, UsageProblem } from '../observe/problem.mjs';
import { runTool, Scope } from '../observe/program.mjs';
import { readSession } from '../observe/record-trace.mjs';
import { Screen } from '../observe/screen.mjs';
import { gap, legend, printFrame, putBeside } from './lib/print.mjs';
import { listRecordings, loadRecording } from './lib/recording.mjs';
import { recordChapter } from './lib/make.mjs';
import { planOf } from './lib/plans.mjs';
import { alignFrames, findMoment } from './player/timeline.mjs';
import { askAhead } from './player/predict.mjs';

const usage = 'replay CHAPTER [CHAPTER] [--frame K] [--plain] [--record [--session NAME]]';
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const narrowest = 70; // columns of one side, where two stand side by side

runTool('replay', usage, async (scope) => {
  const { values, chapters } = readWords(process.argv.slice(2));
  const recordings = [];
  for (const chapter of chapters) recordings.push(await findRecording(chapter, values));
  if (recordings.length === 2 && recordings[0].session !== recordings[1].session) {
    throw new Problem(`the sessions differ: ${recordings.map(({ chapter, title }) => `${chapter} has ${title}`).join(', ')}; two chapters are compared in the same one: ./learn replay ${chapters.join(' ')} --record records both anew`);
  }
  const moments = alignFrames(recordings);
  const wantedFrame = readFrame(values.frame, recordings.at(-1).frames.length);
  const first = wantedFrame === null ? null : findMoment(moments, recordings.length - 1, wantedFrame);
  const titles = chapters.map((chapter, side) => `${chapter}, ${recordings[side].title}`);
  const view = { recordings, moments, titles };
  if (first !== null || values.plain || !process.stdin.isTTY || !isCapable(process.stdout)) {
    const paint = makePainter({ plain: values.plain });
    const wanted = first === null ? moments.map((_, at) => at) : [first];
    const parts = wanted.map((at) => drawMoment(view, at, { paint, columns: findColumns() }).join('\n'));
    process.stdout.write(`${parts.join('\n\n')}\n\n${legend}\n`);
    return;
  }
  await play(scope, view);
});

function readWords(words) {
  let parsed;
  try {
    parsed = parseArgs({ args: words, allowPositionals: true, options: { frame: { type: 'string' }, plain: { type: 'boolean' }, record: { type: 'boolean' }, session: { type: 'string' } } });
  } catch (error) {
    throw new UsageProblem(error.message.split('. ')[0]);
  }
  const { values, positionals: chapters } = parsed;
  if (chapters.length === 0 || chapters.length > 2) throw new UsageProblem('one chapter is wanted, or two');
  if (values.session !== undefined && !values.record) throw new UsageProblem('--session is for --record: what is there is one session');
  for (const chapter of chapters) {
    if (values.session !== undefined) readSession(values, chapter, 'two');
  }
  // Two are compared in the same session: where the chapters' own differ, in that which every server can have.
  if (values.record && values.session === undefined && chapters.length === 2) values.session = shareSession(chapters);
  return { values, chapters };
}

function shareSession(chapters) {
  const [first, second] = chapters.map((chapter) => planOf(chapter).session);
  return first === second ? first : 'two';
}

function readFrame(text, count) {
  if (text === undefined) return null;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number >= count) throw new UsageProblem(`--frame wants a whole number from 0 to ${count - 1}, not '${text}'`);
  return number;
}

/** The recording of the chapter; a fresh one where that is wanted, and possible. */
async function findRecording(chapter, { record, session }) {
  if (!record) return loadRecording(root, chapter);
  const scope = new Scope();
  try {
    return await recordChapter(scope, root, chapter, { session });
  } catch (error) {
    if (!(error instanceof Unavailable) || !listRecordings(root).includes(withoutNumber(chapter))) throw error;
    process.stderr.write(`replay: nothing is recorded here: ${error.message}\nreplay: this is the recording that came with the chapter\n`);
    return loadRecording(root, chapter);
  } finally {
    await scope.close();
  }
}

const findColumns = () => process.stdout.columns || Number(process.env.COLUMNS) || 100;

function drawMoment({ recordings, moments, titles }, at, { paint, columns }) {
  const isBeside = recordings.length === 2 && columns >= 2 * narrowest + gap;
  const width = isBeside ? Math.floor((columns - gap) / 2) : columns;
  const sides = recordings.map((recording, side) => printFrame(recording, moments[at][side], {
    heading: `${titles[side]}: frame ${moments[at][side]} of ${recording.frames.length - 1}`, width, paint,
  }));
  return isBeside ? putBeside(sides[0], sides[1], width) : sides.flatMap((lines, side) => (side === 0 ? lines : ['', ...lines]));
}

/** The interactive player: keys until q. */
async function play(scope, view) {
  const paint = makePainter();
  const screen = new Screen(scope);
  let at = 0;
  let predicts = false;
  let question = null; // {options, chosen}
  let top = 0; // the first line that is shown
  const { moments } = view;
  const draw = () => {
    const lines = drawMoment(view, at, { paint, columns: findColumns() });
    const footer = ['', paint('faint', `moment ${at} of ${moments.length - 1}   ${legend}`)];
    if (question !== null) {
      footer.push(paint('bold', 'What comes next?'), ...question.options.map(({ text, isRight }, number) => {
        const line = `${number + 1}  ${text}`;
        if (question.chosen === null) return line;
        return isRight ? paint('green', `${line}   <- this`) : number === question.chosen ? paint('red', line) : line;
      }), paint('faint', question.chosen === null ? `1 to ${question.options.length}: say it` : '→ show it'));
    }
    footer.push(paint('faint', `← → frames   ↑ ↓ lines   home, end   p ${predicts ? 'stop predicting' : 'predict'}   q leave`));
    top = Math.max(0, Math.min(top, lines.length - 1));
    screen.draw(lines.slice(top), footer);
  };
  const go = (to) => {
    at = Math.max(0, Math.min(moments.length - 1, to));
    question = null;
    top = 0;
  };
  const forward = () => {
    if (predicts && question === null) {
      // Of two, the question is about the later chapter, whose frame changes.
      const side = view.recordings.length - 1;
      const asked = moments[at + 1]?.[side] === moments[at][side] ? null : askAhead(view.recordings[side], moments[at][side]);
      if (asked !== null) {
        question = { options: asked.options, chosen: null };
        return;
      }
    }
    if (question !== null && question.chosen === null) return; // hidden, until something is said
    go(at + 1);
  };
  const keys = {
    '\x1b[C': forward, l: forward, ' ': forward, '\x1b[D': () => go(at - 1), h: () => go(at - 1), '\x1b[H': () => go(0), g: () => go(0),
    '\x1b[F': () => go(moments.length - 1), G: () => go(moments.length - 1), '\x1b[A': () => { top -= 1; }, '\x1b[B': () => { top += 1; },
    p: () => { predicts = !predicts; question = null; },
  };
  process.stdin.on('data', (text) => {
    // A terminal may hand over several keys at once.
    for (const [key] of `${text}`.matchAll(/\x1b\[[A-Z]|./gs)) {
      if (question !== null && question.chosen === null && /^[1-9]$/.test(key) && Number(key) <= question.options.length) question.chosen = Number(key) - 1;
      else keys[key]?.();
    }
    draw();
  });
  process.stdout.on('resize', draw);
  draw();
  await scope.stopped;
}
