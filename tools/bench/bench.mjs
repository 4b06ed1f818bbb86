#!/usr/bin/env node
// Measures the chapters and their peers, one small job after another, and shows what came out.
//
// Each job is one run of a program of tests/bench and leaves one file; a run that is broken off goes on
// where it stopped, as long as the programs are the same to the byte.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { listChapters, renameServers, withoutNumber } from '../chapters.mjs';
import { allowedProcessors, describeMachine, maxDescriptors, versionOf } from './lib/machine.mjs';
import { baselineName, commandOf, cutClients, cutToLimits, grouped, isBaseline, loadIds, makePlan, peers, quick, steps, thorough } from './lib/plan.mjs';
import { makeResults, verdictOf } from './lib/results.mjs';
import { printResults } from './lib/tables.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = join(root, 'build/bench');
const bin = 'build/bin';
const kinds = ['counted', 'memory', 'idle', 'coroutine', 'knobs'];
const quickLoads = ['64B-50', 'counted'];

class UsageError extends Error {}

async function main(words) {
  const options = readOptions(words);
  const wanted = options.quick ? quick : thorough;
  const limit = maxDescriptors();
  const effort = { ...wanted, idleSteps: cutClients(wanted.idleSteps, limit), memory: cutClients(wanted.memory, limit) };
  const store = new Store(join(folder, options.quick ? 'quick' : 'runs'));

  const { loads, cuts } = cutToLimits(limit);
  const servers = chooseServers(options);
  const isWhole = options.servers.length === 0;
  const { jobs, leftOut } = makePlan({ servers, loads, knobs: listKnobs(), effort, only: options.only, isWhole });
  if (jobs.length === 0) throw new UsageError('nothing of this can be measured; --plan shows what can');
  for (const job of jobs) job.fingerprint = fingerprintOf(job, options);
  const measures = !(options.report || options.publish || options.plan);
  if (options.fresh && measures) store.clear();
  if (options.publish) refusePart(jobs.filter((job) => !store.has(job)), options);
  const toDo = options.report || options.publish ? [] : jobs.filter((job) => !store.has(job));
  announce({ jobs, toDo, cuts, servers, options });
  if (options.plan) return 0;

  const outcome = await runAll(toDo, store, options);
  const results = makeResults({
    machine: describeMachine(join(root, 'build')),
    settings: { baseline: fullName(baselineName), pairs: effort.pairs, slice_ms: effort.sliceMs },
    servers: servers.map(describeServer),
    loads: loads.filter(({ id }) => jobs.some((job) => job.load?.id === id)),
    leftOut: [...leftOut, ...outcome.failed],
    runs: jobs.flatMap((job) => store.get(job) ?? []),
  });
  printResults(results, (text) => process.stdout.write(`${text}\n`));
  writeResults(results, options);
  for (const { server, load, why } of outcome.failed) say(`failed: ${server}, ${load}: ${why}`);
  if (outcome.isInterrupted) {
    say(`interrupted; ${jobs.length - outcome.done - (jobs.length - toDo.length)} of ${jobs.length} measurements are left, and the same command goes on with them`);
    return 130;
  }
  const isWrong = [...results.against_baseline, ...results.counted, ...results.knobs].some((entry) => entry.wrong_bytes > 0);
  return outcome.failed.length > 0 || isWrong ? 1 : 0;
}

// --- The command line -------------------------------------------------------------------------------

function readOptions(words) {
  const { values, positionals } = parse(words);
  const known = [...loadIds, ...kinds];
  for (const id of values.only ?? []) {
    if (!known.includes(id)) throw new UsageError(`--only takes one of: ${known.join(' ')}; not '${id}'`);
  }
  if (values.core !== undefined && !/^\d+$/.test(values.core)) throw new UsageError(`--core takes the number of a processor, not '${values.core}'`);
  return { ...values, servers: positionals, only: values.only ?? (values.quick ? quickLoads : []) };
}

function parse(words) {
  try {
    return parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        quick: { type: 'boolean' }, only: { type: 'string', multiple: true }, core: { type: 'string' }, plan: { type: 'boolean' },
        report: { type: 'boolean' }, fresh: { type: 'boolean' }, publish: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

// The names of the servers to be measured; the baseline is among them, since all are measured against it.
function chooseServers({ servers: wanted }) {
  const chapters = listChapters(root);
  const here = [...chapters, ...peers.map(({ id }) => id).filter((id) => existsSync(join(root, bin, id)))];
  if (wanted.length === 0) return here;
  for (const name of wanted) {
    if (!here.includes(name)) throw new UsageError(`there is no server '${name}' here; there are: ${here.join(' ')}`);
  }
  return here.filter((name) => isBaseline(name) || wanted.includes(name));
}

// What is published is a whole run of today's programs.
function refusePart(missing, options) {
  if (options.quick || options.only.length > 0 || options.servers.length > 0) throw new UsageError('--publish is for a whole run: no --quick, --only or SERVER beside it');
  if (missing.length > 0) {
    throw new UsageError(`${missing.length} measurements of this build are missing, ${missing[0].id} for one: run ./learn bench, then publish`);
  }
}

// A chapter's name with its number; the name of anything else, or of a chapter that is not there, as it is.
function fullName(name) {
  return listChapters(root).find((chapter) => withoutNumber(chapter) === name) ?? name;
}

function listKnobs() {
  const { loads } = cutToLimits(maxDescriptors());
  const chooseLoads = (ids) => loads.filter(({ id }) => ids.includes(id));
  const patches = join(root, 'tests/bench/knobs');
  if (!existsSync(patches)) return [];
  const knobs = readdirSync(patches).filter((name) => name.endsWith('.patch')).sort().map((name) => {
    const header = readFileSync(join(patches, name), 'utf8');
    const field = (key) => new RegExp(`^${key}: (.*)$`, 'm').exec(header)?.[1];
    return {
      name: name.slice(0, -'.patch'.length),
      chapter: fullName(field('Chapter')),
      title: field('Title'),
      processors: field('Processors').split(' ').filter((number) => number === 'one' || allowedProcessors().length > 1),
      loads: chooseLoads((field('Loads') ?? '64B-50').split(' ')),
    };
  });
  return [...steps.map((step) => ({ ...step, name: fullName(step.name), chapter: fullName(step.chapter), processors: ['one'], loads: chooseLoads(step.loads) })), ...knobs];
}

function announce({ jobs, toDo, cuts, servers, options }) {
  const missing = peers.filter(({ id }) => !existsSync(join(root, bin, id)));
  const minutes = sumOf(toDo.map(({ seconds }) => seconds)) / 60;
  const from = jobs.length > toDo.length ? ` (${jobs.length - toDo.length} more are there from before; --fresh measures them again)` : '';
  if (!options.report && !options.publish) {
    say(`${toDo.length} measurements of ${servers.length} servers, about ${minutes < 1 ? 'a minute' : `${Math.ceil(minutes)} minutes`}${from}`);
    say('traffic goes over the loopback interface alone; Ctrl-C keeps what has been measured');
  }
  for (const cut of cuts.filter((text) => jobs.some(({ load }) => text.startsWith(`${load?.id}:`)))) say(`cut short: ${cut}`);
  if (missing.length > 0 && !options.quick && options.servers.length === 0) {
    say(`not here: ${missing.map(({ label }) => label).join('; ')} (packages: ${[...new Set(missing.map((peer) => peer.package))].join(' ')})`);
  }
  if (options.plan) for (const job of toDo) say(`  ${describeJob(job)}, ${Math.ceil(job.seconds)} s`);
}

// --- Measuring --------------------------------------------------------------------------------------

async function runAll(jobs, store, options) {
  const outcome = { failed: [], done: 0, isInterrupted: false };
  let child;
  const interrupt = () => {
    outcome.isInterrupted = true;
    child?.kill('SIGTERM');
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  let secondsLeft = sumOf(jobs.map(({ seconds }) => seconds));
  for (const job of jobs) {
    if (outcome.isInterrupted) break;
    const time = secondsLeft > 90 ? `${Math.ceil(secondsLeft / 60)} min` : `${Math.ceil(secondsLeft)} s`;
    process.stderr.write(`${outcome.done + 1} of ${jobs.length}, ${time} left: ${describeJob(job)} ... `);
    const { status, output, words } = await run(job, options, (started) => { child = started; });
    if (outcome.isInterrupted) {
      say('');
      break;
    }
    if (output === undefined) {
      const why = words.split('\n').find((line) => line !== '')?.replace(/^error: /, '') ?? `it ended with ${status}`;
      outcome.failed.push({ server: job.server ?? job.id, load: job.load?.id ?? job.kind, why });
      say(`failed: ${why}`);
    } else {
      store.put(job, output);
      say(summarise(job, output));
    }
    outcome.done += 1;
    secondsLeft -= job.seconds;
  }
  process.off('SIGINT', interrupt);
  process.off('SIGTERM', interrupt);
  return outcome;
}

async function run(job, options, onStart) {
  if (job.kind === 'knob') {
    const built = await runProgram('tools/build-knob', [job.server, knobPath(job)], onStart);
    if (built.status !== 0) return { ...built, output: undefined };
  }
  const file = join(folder, `output-${process.pid}.json`);
  rmSync(file, { force: true });
  const [program, ...words] = commandLineOf(job, options);
  const result = await runProgram(program, [...words, '--json', file], onStart);
  const output = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  rmSync(file, { force: true });
  // Interrupted, or not one pair: nothing to keep.
  const isEmpty = output?.b_by_a !== undefined && output.b_by_a.server.median === undefined;
  if (isEmpty) return { ...result, words: 'the machine was too busy: not one pair could be kept', output: undefined };
  return { ...result, output };
}

function commandLineOf(job, options) {
  const core = options.core === undefined ? [] : ['--core', options.core];
  const server = job.server && commandOf(bin, job.server, job.load?.connections ?? job.connections ?? job.clients ?? 1);
  switch (job.kind) {
    case 'compare': return [`${bin}/compare`, commandOf(bin, fullName(baselineName)), server, ...compareWords(job), ...core];
    case 'knob': return [`${bin}/compare`, `${bin}/${job.knob.chapter}`, knobPath(job), ...compareWords(job), ...(job.processors === 'two' ? ['--cores', allowedProcessors().slice(0, 2).join()] : core)];
    case 'count': return [`${bin}/count-per-message`, server, '--connections', String(job.connections)];
    case 'memory': return [`${bin}/compare`, server, '--memory', String(job.clients), ...core];
    case 'idle': return [`${bin}/idle-clients`, server, '--steps', job.effort.idleSteps.join(), ...core];
    case 'coroutine': return [`${bin}/coroutine-cost`, '--measurements', String(job.effort.nops), ...core];
    default: throw new Error(`no such kind: ${job.kind}`);
  }
}

function compareWords({ load, effort }) {
  return [
    '--connections', String(load.connections), '--size', String(load.message_bytes), '--rate', String(load.rate),
    ...(load.reconnects ? ['--reconnect'] : []), '--pairs', String(effort.pairs), '--slice', String(effort.sliceMs),
  ];
}

function knobPath(job) {
  return `build/bench/knob-${job.server}`;
}

function runProgram(program, words, onStart) {
  return new Promise((done) => {
    const child = spawn(program, words, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (bytes) => { text += bytes; });
    child.on('error', (error) => done({ status: error.code, words: `cannot start ${program}: ${error.message}` }));
    child.on('close', (code, signal) => done({ status: code ?? signal, words: text }));
    onStart(child);
  });
}

// --- What is kept -----------------------------------------------------------------------------------

// A folder with a file for each job: {fingerprint, date, output}.
class Store {
  constructor(path) {
    this.path = path;
    mkdirSync(path, { recursive: true });
  }

  clear() {
    rmSync(this.path, { recursive: true });
    mkdirSync(this.path);
  }

  // What has fewer pairs than were asked for is measured again: the machine may have calmed down.
  has(job) {
    const kept = this.get(job);
    return kept !== undefined && kept.output.complete !== false;
  }

  // undefined when it was not measured, or with other programs.
  get(job) {
    const file = this.#file(job);
    if (!existsSync(file)) return undefined;
    const { fingerprint, date, output } = JSON.parse(readFileSync(file, 'utf8'));
    return fingerprint === job.fingerprint ? { job, date, output } : undefined;
  }

  put(job, output) {
    const date = new Date().toISOString().slice(0, 10);
    writeFileSync(this.#file(job), `${JSON.stringify({ fingerprint: job.fingerprint, date, output })}\n`);
  }

  #file(job) {
    return join(this.path, `${job.id}.json`);
  }
}

// Changes with whatever the figures depend on: the programs, the settings, the kernel. Not with the
// processor: two runs on one each may share the work.
function fingerprintOf(job, options) {
  const hash = createHash('sha256');
  const { seconds, ...settings } = job;
  hash.update(JSON.stringify(settings)).update(describeMachine(join(root, 'build')).kernel);
  const against = `${bin}/${job.knob?.chapter ?? fullName(baselineName)}`;
  const programs = [commandLineOf(job, options)[0], against, `${bin}/${job.server}`];
  if (job.knob) programs.push(`tests/bench/knobs/${job.server}.patch`);
  for (const program of programs) hash.update(digestOf(program));
  return hash.digest('hex');
}

const digests = new Map();

function digestOf(path) {
  if (!digests.has(path)) {
    const full = join(root, path);
    digests.set(path, existsSync(full) ? createHash('sha256').update(readFileSync(full)).digest('hex') : 'missing');
  }
  return digests.get(path);
}

function writeResults(results, options) {
  const target = options.publish ? join(root, 'docs/measurements') : folder;
  const file = join(target, options.quick ? 'quick.json' : 'results.json');
  const numberless = { ...results, servers: results.servers.map((server) => (server.kind === 'chapter' ? { ...server, label: server.label.replace(/^\d\d /, '') } : server)) };
  writeFileSync(file, formatResults(renameServers(numberless, withoutNumber)));
  say(`the figures: ${relative(process.cwd(), file)}`);
}

// One entry of a list a line, so that a new run is a readable diff.
function formatResults(results) {
  const parts = Object.entries(results).map(([key, value]) => {
    const text = Array.isArray(value) ? `[${value.map((entry) => `\n    ${JSON.stringify(entry)}`).join(',')}\n  ]` : JSON.stringify(value);
    return `  ${JSON.stringify(key)}: ${text}`;
  });
  return `{\n${parts.join(',\n')}\n}\n`;
}

// --- Words ------------------------------------------------------------------------------------------

function describeServer(id) {
  const peer = peers.find((other) => other.id === id);
  if (!peer) return { id, kind: 'chapter', label: id.replace('-', ' '), version: '' };
  return { id, kind: 'peer', label: peer.label, version: versionOf(peer.package) };
}

function describeJob(job) {
  switch (job.kind) {
    case 'compare': return `${job.server}, ${job.load.title}`;
    case 'knob': return `${job.knob.title}, ${job.load.title}, ${job.processors === 'two' ? 'two processors' : 'one processor'}`;
    case 'count': return `${job.server}, system calls and allocations, ${grouped(job.connections)} connections`;
    case 'memory': return `${job.server}, memory of ${grouped(job.clients)} idle clients`;
    case 'idle': return `${job.server}, an echo beside idle clients`;
    default: return 'what a coroutine costs';
  }
}

function summarise(job, output) {
  if (job.kind !== 'compare' && job.kind !== 'knob') return 'done';
  const { server } = output.b_by_a;
  if (server.low === undefined) return `${server.median.toFixed(2)} (too few pairs for an interval: the machine is busy)`;
  const words = { less: 'costs less', more: 'costs more', none: 'no difference shown' };
  return `${server.median.toFixed(2)} (${server.low.toFixed(2)} to ${server.high.toFixed(2)}): ${words[verdictOf(server, output.null.server)]}`;
}

function sumOf(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(`bench: ${error.message}`);
  if (process.env.LEARN_USAGE) say(`usage: ${process.env.LEARN_USAGE}   (more: ./learn help bench)`);
  process.exitCode = 2;
}
