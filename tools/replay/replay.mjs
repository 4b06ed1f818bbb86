// The author's tool for recordings: makes them, checks them, and draws frames of them.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { listChapters, withoutNumber } from '../chapters.mjs';
import { Problem, Unavailable, UsageProblem } from '../observe/problem.mjs';
import { runTool, Scope } from '../observe/program.mjs';
import { traceSessions } from '../observe/record-trace.mjs';
import { comparePictures, drawFrame, listPictures, savePicture } from './lib/draw.mjs';
import { drawBoxes } from './lib/draw-boxes.mjs';
import { findViolations } from './lib/laws.mjs';
import { build, recordChapter } from './lib/make.mjs';
import { printPage } from './lib/page.mjs';
import { planOf } from './lib/plans.mjs';
import { compare, compareCode, folder, listRecordings, loadRecording, saveRecording } from './lib/recording.mjs';

const usage = `tools/replay/replay record [CHAPTER...]            record, and write what has changed to ${folder}
       tools/replay/replay check [CHAPTER...]             do the laws hold, and is a fresh recording the same?
       tools/replay/replay svg CHAPTER FRAME              a frame as a picture; with --write, into docs/replay/NAME-FRAME.svg, which
                                                          record draws anew and check compares; with --boxes, only
                                                          processes, descriptors and clients, in NAME-FRAME-boxes.svg
       tools/replay/replay page CHAPTER [CHAPTER]         all frames as a page of HTML that needs no script
       tools/replay/replay list                           the chapters that have a recording

CHAPTER is a number or a name (3, fork, 03-fork); all that have a recording when none is given.
  --no-run        check without recording anew: laws, and whether the code is still the same
  --no-build      take the programs in build-replay/bin as they are
  --write         svg: keep the picture
  --boxes         svg: who sleeps where, and who has what open
  --session NAME  record: one, two, reset or upgrade (from 55-successor on); else that which lib/plans.mjs has for the chapter`;

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const atOnce = 2; // recordings: each of them mostly waits

runTool('replay', usage, async (scope) => {
  const { values, positionals: [command, ...words] } = readWords();
  const run = { record: recordAll, check: checkAll, svg, page, list, help: () => process.stdout.write(`usage: ${usage}\n`) }[command];
  if (run === undefined) throw new UsageProblem(command === undefined ? 'what to do is wanted' : `there is no '${command}' here`);
  await run(words, values, scope);
});

function readWords() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { 'no-run': { type: 'boolean' }, 'no-build': { type: 'boolean' }, write: { type: 'boolean' }, boxes: { type: 'boolean', default: false }, session: { type: 'string' } },
    });
  } catch (error) {
    throw new UsageProblem(error.message.split('. ')[0]);
  }
}

/** The full names of the chapters that are meant. Throws UsageProblem. */
function findChapters(words, fallback) {
  const chapters = listChapters(root);
  if (words.length === 0) return fallback.map((name) => chapters.find((chapter) => withoutNumber(chapter) === name));
  return words.map((word) => {
    const found = chapters.find((chapter) => chapter === word || withoutNumber(chapter) === word
      || (/^\d+$/.test(word) && Number.parseInt(chapter, 10) === Number(word)));
    if (found === undefined) throw new UsageProblem(`there is no chapter '${word}'; the first is ${chapters[0]}, the last ${chapters.at(-1)}`);
    return found;
  });
}

/** What differs between a recording and a fresh one, or has kept the fresh one from being made; null where nothing has. */
async function findDifference(chapter, old) {
  const scope = new Scope();
  try {
    const fresh = await recordChapter(scope, root, chapter, { session: old.session, serverOptions: old.options ?? [] });
    demandLaws(fresh);
    return compare(old, fresh);
  } catch (error) {
    if (!(error instanceof Problem) || error instanceof Unavailable) throw error;
    return error.message;
  } finally {
    await scope.close();
  }
}

function findOne(word) {
  if (word === undefined) throw new UsageProblem('a chapter is wanted');
  return findChapters([word], [])[0];
}

/** Calls `work(chapter, scope)` for each, some at once, each with a scope of its own; what has gone wrong is told, and counted. */
async function forEach(chapters, work) {
  const waiting = [...chapters];
  let failures = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let chapter = waiting.shift(); chapter !== undefined; chapter = waiting.shift()) {
      const scope = new Scope();
      try {
        await work(chapter, scope);
      } catch (error) {
        if (!(error instanceof Problem) || error instanceof Unavailable) throw error;
        failures += 1;
        process.stdout.write(`not ok: ${chapter}: ${error.message}\n`);
      } finally {
        await scope.close();
      }
    }
  }));
  return failures;
}

async function recordAll(words, values) {
  const chapters = findChapters(words, listRecordings(root));
  const sessions = Object.keys(traceSessions);
  if (values.session !== undefined && !sessions.includes(values.session)) throw new UsageProblem(`--session wants ${sessions.join(' or ')}, not '${values.session}'`);
  for (const chapter of chapters) planOf(chapter, values.session); // before the first is recorded
  if (!values['no-build']) build(root, chapters);
  const failures = await forEach(chapters, async (chapter, scope) => {
    const recording = await recordChapter(scope, root, chapter, { session: values.session });
    demandLaws(recording);
    const isKnown = listRecordings(root).includes(withoutNumber(chapter));
    const old = isKnown ? loadRecording(root, chapter) : null;
    if (old !== null && compare(old, recording) === null) {
      process.stdout.write(`${chapter}: as before\n`);
      return;
    }
    saveRecording(root, recording);
    const events = (one) => (at) => one?.frames[at]?.event.text;
    for (const picture of listPictures(root, recording.chapter).filter(({ at }) => at < recording.frames.length)) {
      const { at } = picture;
      savePicture(root, recording, picture);
      if (events(old)(at) !== events(recording)(at)) process.stdout.write(`${chapter}: the picture of frame ${at} is of another event now: ${events(recording)(at)}\n`);
    }
    process.stdout.write(`${chapter}: ${recording.frames.length} frames\n`);
  });
  if (failures > 0) process.exitCode = 1;
}

function demandLaws(recording) {
  const [first, ...others] = findViolations(recording);
  if (first === undefined) return;
  throw new Problem(`frame ${first.frame} breaks the law '${first.law}': ${first.text}${others.length > 0 ? ` (and ${others.length} more)` : ''}`);
}

async function checkAll(words, values) {
  const chapters = findChapters(words, listRecordings(root));
  if (chapters.length === 0) throw new Problem(`there is no recording in ${folder}`);
  let failures = await forEach(chapters, (chapter) => {
    const recording = loadRecording(root, chapter);
    demandLaws(recording);
    const [change] = compareCode(root, chapter, recording);
    if (change !== undefined) throw new Problem(`${change}: tools/replay/replay record ${withoutNumber(chapter)}`);
    const [picture] = comparePictures(root, recording);
    if (picture !== undefined) throw new Problem(`${picture}: tools/replay/replay svg ${withoutNumber(chapter)} FRAME --write`);
  });
  let isMadeAgain = false;
  if (!values['no-run'] && failures === 0) {
    const again = await recordAgain(chapters, values);
    isMadeAgain = again !== null;
    failures += again ?? 0;
  }
  if (failures > 0) {
    process.exitCode = 1;
    return;
  }
  process.stdout.write(`${chapters.length} recordings are ${isMadeAgain ? 'lawful, and the same when they are made again' : 'lawful, and of this code'}\n`);
}

/**
 * How many recordings are not the same when they are made again. Where this machine cannot record, says so, and returns null; with
 * REPLAY_STRICT=1 that is a failure.
 */
async function recordAgain(chapters, values) {
  try {
    if (!values['no-build']) build(root, chapters);
    return await forEach(chapters, async (chapter) => {
      const old = loadRecording(root, chapter);
      const difference = await findDifference(chapter, old);
      if (difference === null) return;
      // A machine under load can be late with an acknowledgement or with a packet: what differs is told, and must not differ again.
      process.stdout.write(`${chapter}: a fresh recording differs, and is made once more: ${difference}\n`);
      const again = await findDifference(chapter, old);
      if (again !== null) throw new Problem(`a fresh recording differs, twice: ${again}\nto take the fresh one: tools/replay/replay record ${withoutNumber(chapter)}`);
    });
  } catch (error) {
    if (!(error instanceof Unavailable) || process.env.REPLAY_STRICT === '1') throw error;
    process.stdout.write(`nothing is recorded again: ${error.message}\n`);
    return null;
  }
}

function svg([word, number], values) {
  const recording = loadRecording(root, findOne(word));
  const at = Number(number);
  if (!/^\d+$/.test(number ?? '') || at >= recording.frames.length) throw new UsageProblem(`the frame is a number from 0 to ${recording.frames.length - 1}`);
  if (values.write) process.stdout.write(`${savePicture(root, recording, { at, isBoxes: values.boxes })}\n`);
  else process.stdout.write((values.boxes ? drawBoxes : drawFrame)(recording, at));
}

function page(words) {
  if (words.length === 0 || words.length > 2) throw new UsageProblem('one chapter is wanted, or two');
  const chapters = findChapters(words, []);
  process.stdout.write(printPage(chapters.map((chapter) => loadRecording(root, chapter)), chapters));
}

function list() {
  for (const name of listRecordings(root)) {
    const { frames, title, options = [] } = loadRecording(root, name);
    process.stdout.write(`${name}: ${title}, ${frames.length} frames${options.length > 0 ? `, ${options.join(' ')}` : ''}\n`);
  }
}
