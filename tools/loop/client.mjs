#!/usr/bin/env node
// Is a difficult client of a server, and tells what both sides do.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { listChapters } from '../chapters.mjs';
import { readNumber, splitAtDashes } from '../observe/command-line.mjs';
import { mostClients } from '../observe/crowd.mjs';
import { Problem, UsageProblem } from '../observe/problem.mjs';
import { runTool } from '../observe/program.mjs';
import { build } from './build.mjs';
import { Dialogue } from './dialogue.mjs';
import { beMany } from './client/many.mjs';
import { creep, halfClose, reset, sendLine } from './client/modes.mjs';
import { Reader } from './client/prompt.mjs';
import { findPeer, startPeer } from './client/server.mjs';
import { stall } from './client/stall.mjs';
import { Story } from './client/story.mjs';
import { talk } from './client/talk.mjs';
import { findChapter, findNearest } from './words.mjs';

const root = process.env.LEARN_ROOT ?? new URL('../..', import.meta.url).pathname;
const usage = 'client [CHAPTER | --practice | --port P] [--host H] [--half-close | --reset | --slow | --stall | --many N | --line TEXT]';
const options = {
  port: { type: 'string' }, host: { type: 'string' }, line: { type: 'string' }, many: { type: 'string' },
  'half-close': { type: 'boolean' }, reset: { type: 'boolean' }, slow: { type: 'boolean' }, stall: { type: 'boolean' },
  practice: { type: 'boolean' },
};
const modes = { 'half-close': halfClose, reset, slow: creep, stall, talk, line: sendLine };
const asksTheReader = ['many', 'stall', 'talk'];

runTool('client', usage, async (scope) => {
  const settings = readSettings(process.argv.slice(2));
  const server = settings.port === undefined ? await startChapter(scope, settings) : await findPeer(settings.host ?? '127.0.0.1', settings.port);
  const story = new Story(server);
  // A mode that asks nothing leaves the input alone: it may be a loop's list.
  const reader = asksTheReader.includes(settings.mode) ? new Reader(scope, new Dialogue(scope), server) : null;
  const context = { scope, server, story, reader, line: settings.line };
  story.begin();
  let complaint;
  try {
    complaint = settings.mode === 'many' ? await beMany(context, settings.many, settings.reset ? 'reset' : 'close') : await modes[settings.mode](context);
  } catch (error) {
    if (!(error instanceof Problem) || error instanceof UsageProblem) throw error;
    if (context.client?.connection.port === undefined) story.tellProcesses(server.look());
    else await story.tellSides(context.client.connection);
    throw error;
  }
  if (complaint !== '') throw new Problem(complaint);
});

async function startChapter(scope, { chapter, practice, host, serverOptions }) {
  const own = ['--port', '0', ...(host === undefined ? [] : ['--host', host])];
  if (practice) {
    const copy = findCopy(chapter);
    return startPeer(scope, `your copy of ${copy.chapter}`, copy.executable, [...own, ...serverOptions]);
  }
  await build(scope, root, [chapter]);
  return startPeer(scope, chapter, join(root, 'build/bin', chapter), [...own, ...serverOptions]);
}

/** The copy of ./learn practice that is current, compiled: of this chapter, where one is named. */
function findCopy(chapter) {
  const tool = join(root, 'tools/loop/practice-copy.mjs');
  const { status, stdout } = spawnSync(process.execPath, [tool, ...(chapter === undefined ? [] : [chapter])], { encoding: 'utf8', stdio: ['inherit', 'pipe', 'inherit'] });
  if (status !== 0) throw new Problem('without a copy there is nothing to go on with: the reason is above', status ?? 1);
  const fields = stdout.trimEnd().split('\t');
  return { chapter: fields[0], executable: fields.at(-1) };
}

function readSettings(words) {
  const [ownWords, serverOptions] = splitAtDashes(words);
  const { values, positionals } = parse(ownWords);
  const [word, surplus] = positionals;
  if (surplus !== undefined) throw new UsageProblem(`'${surplus}' is one word too many: client talks to one server`);
  const port = readNumber(values, 'port', { minimum: 1, maximum: 65535 });
  if (port !== undefined && word !== undefined) throw new UsageProblem(`--port is for a server that runs already: name no chapter beside it`);
  if (port !== undefined && values.practice) throw new UsageProblem('--port is for a server that runs already, and --practice for your copy: choose one');
  if (port !== undefined && serverOptions.length > 0) throw new UsageProblem("what follows -- is for a server that is started: --port is for one that runs already");
  return {
    mode: chooseMode(values),
    port,
    host: values.host,
    chapter: word !== undefined ? findChapter(root, word) : port !== undefined || values.practice ? undefined : listChapters(root).at(-1),
    practice: values.practice,
    many: readNumber(values, 'many', { minimum: 1, maximum: mostClients }),
    reset: values.reset,
    line: `${values.line ?? 'hello'}\n`,
    serverOptions,
  };
}

function parse(words) {
  try {
    return parseArgs({ args: words, options, allowPositionals: true });
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS')) throw error;
    const unknown = /Unknown option '--?([^']*)'/.exec(error.message)?.[1];
    if (unknown === undefined) throw new UsageProblem(error.message.split('. ')[0].replace(/\s+/g, ' '));
    const nearest = findNearest(unknown, Object.keys(options));
    throw new UsageProblem(`client has no option --${unknown}${nearest ? `; did you mean --${nearest}?` : ''}`);
  }
}

/** The mode's name. Throws UsageProblem where options do not go together. */
function chooseMode(values) {
  const chosen = ['half-close', 'reset', 'slow', 'stall', 'many'].filter((name) => values[name] !== undefined);
  const [first, second] = chosen;
  const isCrowdThatResets = chosen.length === 2 && first === 'reset' && second === 'many';
  if (chosen.length > 1 && !isCrowdThatResets) {
    throw new UsageProblem(`--${first} and --${second} do not go together: a client is difficult in one way (but: --many N --reset)`);
  }
  if (first === 'stall' && values.line !== undefined) throw new UsageProblem('--stall sends bytes of its own: --line does not go with it');
  if (isCrowdThatResets) return 'many';
  return first ?? (values.line === undefined ? 'talk' : 'line');
}
