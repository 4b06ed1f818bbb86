// What a `figures` marker shows: tables and sentences made from the published run.
//
// Three things hold for all of them. A ratio stands beside its interval, and a difference is claimed by
// `judge` alone, for visits from a certain factor on. What is counted stands as it is. Messages a second and latencies are ranges with their
// date, in the order of the chapters. What was not measured is a dash, and the line below says why.

import { Problem } from './problem.mjs';
import { judge, verdictWords } from './results.mjs';

const dash = '–';
const chapterLoads = ['64B-1', '64B-50', '64B-1000'];
const countedAt = { connections: 50, bytes: 64 };

// Two processes of one program can lie apart in a visit by more than their interval tells, and nobody knows
// why yet (docs/measurements.md, Visits). So a difference between visits is claimed from this factor on.
const leastFactorOfVisits = 1.5;

const kinds = {
  chapter: { make: makeChapter, usage: 'chapter', least: 0, most: 0 },
  loads: { make: makeLoads, usage: 'loads LOAD... [whole] [of SERVER...]', least: 1, most: Infinity },
  counted: { make: makeCounted, usage: 'counted', least: 0, most: 0 },
  memory: { make: makeMemory, usage: 'memory', least: 0, most: 0 },
  idle: { make: makeIdle, usage: 'idle', least: 0, most: 0 },
  coroutine: { make: makeCoroutine, usage: 'coroutine', least: 0, most: 0 },
  knobs: { make: makeKnobs, usage: 'knobs', least: 0, most: 0 },
  ranges: { make: makeRanges, usage: 'ranges LOAD', least: 1, most: 1 },
  machine: { make: makeMachine, usage: 'machine', least: 0, most: 0 },
  drift: { make: makeDrift, usage: 'drift', least: 0, most: 0 },
  'left-out': { make: makeLeftOut, usage: 'left-out', least: 0, most: 0 },
};

// The lines of a marker's generated part. `place` says where it stands: {chapter, previous, link}, the
// chapter only in a chapter's text; `link` leads to the page about the measurements.
export function makeFigures(results, words, place) {
  const [name, ...others] = words;
  const kind = Object.hasOwn(kinds, name ?? '') ? kinds[name] : undefined;
  if (!kind) throw new Problem(`there are no figures "${name ?? ''}"; there are ${Object.keys(kinds).join(', ')}`);
  if (others.length < kind.least || others.length > kind.most) throw new Problem(`cannot read this marker; write <!-- figures ${kind.usage} -->`);
  return kind.make(results, others, place);
}

// --- In the text of a chapter -----------------------------------------------------------------------

function makeChapter(results, _, { chapter, previous, link }) {
  if (!chapter) throw new Problem('only the text of a chapter (docs/NN-name.md) has figures of its chapter; name loads here');
  const { baseline } = results;
  const own = results.server(chapter.name);
  // A chapter before that has come since the run has no figures.
  const ids = [results.knows(previous?.name) && previous.name, own.id, baseline.id].filter(Boolean);
  const servers = [...new Set(ids)].map((id) => results.server(id));
  const loads = chapterLoads.map((id) => results.load(id));
  const clients = commonClients(results, servers);
  const head = [
    'server',
    ...loads.map((load) => describeConnections(load)),
    'system calls',
    'allocations',
    `bytes for each ${clients === undefined ? '' : `of ${formatCount(clients)} `}idle client${clients === undefined ? '' : 's'}`,
  ];
  const rows = servers.map((server) => {
    const count = results.counted(server.id, countedAt.connections, countedAt.bytes);
    return [
      nameOf(server),
      ...loads.map((load) => ratioCell(results, server, load)),
      formatCalls(count?.calls_per_message),
      formatCalls(count?.allocations_per_message),
      memoryCell(results, server, clients),
    ];
  });
  const explanation =
    `Columns 2 to 4: the server's processor time for an echo of 64 bytes, divided by that of ${nameOf(baseline)}; the median and its 95% interval. ` +
    `System calls and allocations: for an echo, counted at ${countedAt.connections} connections.`;
  return [...table(head, rows), '', ...paragraph(explanation), ...notes(results, servers, loads), '', ...paragraph(claim(results, own, loads, link))];
}

// What may be said of a chapter, and no more.
function claim(results, own, loads, link) {
  const { baseline } = results;
  const more = `How this is measured, and what it does not say: [Measurements](${link}).`;
  if (own.id === baseline.id) return `Chapter ${nameOf(own)} is the one that all others are compared with, so nothing is claimed of it here. ${more}`;
  const measured = loads.filter((load) => results.comparison(own.id, load.id));
  if (measured.length === 0) return `No ratio was measured here, so nothing is claimed about the cost of an echo in ${nameOf(own)} against ${nameOf(baseline)}. ${more}`;
  const alone = describeVerdicts(results, own, measured, 'server');
  const whole = describeVerdicts(results, own, measured, 'whole');
  const subject = `What may be claimed of an echo in ${nameOf(own)} beside one in ${nameOf(baseline)}`;
  return `${subject}: in the server's processor time it ${alone}; with the load's part counted in, it ${whole}. ${more}`;
}

function describeVerdicts(results, server, loads, side) {
  const groups = new Map();
  for (const load of loads) {
    const verdict = judgeSide(results, results.comparison(server.id, load.id), side);
    groups.set(verdict, [...(groups.get(verdict) ?? []), formatCount(load.connections)]);
  }
  const words = { more: 'costs more', less: 'costs less', none: 'shows no difference' };
  const parts = [...groups].map(([verdict, counts]) => `${words[verdict]} at ${joinWords(counts)} ${counts.length === 1 && counts[0] === '1' ? 'connection' : 'connections'}`);
  return joinWords(parts);
}

// The number of idle clients with which all of these were measured, the greatest if there are several.
function commonClients(results, servers) {
  const sets = servers.map((server) => results.memory(server.id).map(({ clients }) => clients)).filter((list) => list.length > 0);
  const common = (sets[0] ?? []).filter((clients) => sets.every((list) => list.includes(clients)));
  return common.length === 0 ? undefined : Math.max(...common);
}

function memoryCell(results, server, clients) {
  const entries = results.memory(server.id);
  const entry = clients === undefined ? entries.sort((a, b) => b.clients - a.clients)[0] : entries.find((other) => other.clients === clients);
  if (!entry) return dash;
  return formatCount(entry.bytes_per_client) + (clients === undefined ? ` (with ${formatCount(entry.clients)})` : '');
}

// --- Loads ------------------------------------------------------------------------------------------

function makeLoads(results, words) {
  const end = words.includes('of') ? words.indexOf('of') : words.length;
  const [own, chosen] = [words.slice(0, end), words.slice(end + 1).map((id) => results.server(id))];
  const side = own.includes('whole') ? 'whole' : 'server';
  const loads = own.filter((word) => word !== 'whole').map((id) => results.load(id));
  if (loads.length === 0 || (end < words.length && chosen.length === 0)) throw new Problem(`cannot read this marker; write <!-- figures ${kinds.loads.usage} -->`);
  const isKnown = (server) => server.id === results.baseline.id || loads.some((load) => results.comparison(server.id, load.id) || results.whyLeftOut(server.id, load.id));
  const servers = chosen.length > 0 ? chosen : results.servers.filter(isKnown);
  const makeTable = loads.length === 1 ? tableOfOneLoad : tableOfLoads;
  return [...makeTable(results, servers, loads, side), '', ...paragraph(explainRatio(results, loads, side)), ...notes(results, servers, loads)];
}

function tableOfLoads(results, servers, loads, side) {
  return table(['server', ...loads.map(({ title }) => title)], servers.map((server) => [nameOf(server), ...loads.map((load) => ratioCell(results, server, load, side))]));
}

// One load leaves room for the null, by which the verdict can be checked: with a third place, so that two
// that nearly touch can be told apart.
function tableOfOneLoad(results, servers, [load], side) {
  const rows = servers.map((server) => {
    const entry = results.comparison(server.id, load.id);
    if (server.id === results.baseline.id) return [nameOf(server), '1', dash, 'what the others are divided by'];
    if (!entry) return [nameOf(server), dash, dash, dash];
    return [nameOf(server), formatRatio(entry[`${side}_ratio`], 3) + incompleteMark(results, entry), formatInterval(entry[`${side}_null`], 3), verdictWords[judgeSide(results, entry, side)]];
  });
  return table(['server', load.title, 'the null', 'verdict'], rows);
}

function explainRatio(results, loads, side) {
  const what = loads.every((load) => load.reconnects) ? 'visit' : 'message';
  const time = side === 'whole' ? 'Processor time of server and load together' : 'Processor time of the server';
  const visits = loads.some((load) => load.reconnects) ? ` For visits a difference is claimed only where the whole interval lies beyond a factor of ${leastFactorOfVisits}.` : '';
  return `${time} for a ${what}, divided by that of ${nameOf(results.baseline)} in the same pairs of slices: the median and its 95% interval.${visits}`;
}

function ratioCell(results, server, load, side = 'server') {
  if (server.id === results.baseline.id) return '1';
  const entry = results.comparison(server.id, load.id);
  if (!entry) return dash;
  return `${formatRatio(entry[`${side}_ratio`])}${incompleteMark(results, entry)}, ${verdictWords[judgeSide(results, entry, side)]}`;
}

function judgeSide(results, entry, side) {
  const ratio = entry[`${side}_ratio`];
  const isTrusted = !results.load(entry.load).reconnects || ratio?.low > leastFactorOfVisits || ratio?.high < 1 / leastFactorOfVisits;
  return isTrusted ? judge(ratio, entry[`${side}_null`]) : 'none';
}

function incompleteMark(results, entry) {
  return isIncomplete(results, entry) ? ' \\*' : '';
}

function isIncomplete(results, entry) {
  return entry !== undefined && (entry.complete === false || entry.pairs < results.object('settings').pairs);
}

// Why there are dashes and stars in a table.
function notes(results, servers, loads) {
  const others = servers.filter(({ id }) => id !== results.baseline.id);
  const lines = [];
  const sentences = describeGaps(results, others, loads);
  if (sentences.length > 0) lines.push('', ...paragraph(`${dash}: ${sentences.join(' ')}`));
  const isAnyIncomplete = others.some((server) => loads.some((load) => isIncomplete(results, results.comparison(server.id, load.id))));
  if (isAnyIncomplete) lines.push('', ...paragraph(`\\*: fewer than ${results.object('settings').pairs} pairs were left undisturbed, so the interval is wider than it could be.`));
  return lines;
}

// "03 fork and 04 exec (visits): the reason."
function describeGaps(results, servers, loads) {
  const namesByGap = new Map();
  for (const server of servers) {
    const whys = loads.map((load) => (results.comparison(server.id, load.id) ? undefined : (results.whyLeftOut(server.id, load.id) ?? 'not measured in this run')));
    for (const why of distinct(whys.filter(Boolean))) {
      const titles = loads.filter((_, index) => whys[index] === why).map(({ title }) => title);
      const gap = `${titles.length === loads.length ? '' : ` (${titles.join('; ')})`}: ${why}.`;
      namesByGap.set(gap, [...(namesByGap.get(gap) ?? []), nameOf(server)]);
    }
  }
  return [...namesByGap].map(([gap, names]) => joinWords(names) + gap);
}

// --- Counted ----------------------------------------------------------------------------------------

function makeCounted(results) {
  const entries = results.list('counted');
  const loads = distinct(entries.map(({ connections, message_bytes }) => ({ connections, message_bytes })), ({ connections, message_bytes }) => `${message_bytes} ${connections}`);
  loads.sort((a, b) => a.message_bytes - b.message_bytes || a.connections - b.connections);
  const titleOf = ({ connections, message_bytes }) => `${formatSize(message_bytes)}, ${formatCount(connections)}`;
  const cells = (server, key) =>
    loads.map(({ connections, message_bytes }) => formatCalls(results.counted(server.id, connections, message_bytes)?.[key]));
  const rows = results.servers
    .filter((server) => entries.some((entry) => entry.server === server.id))
    .map((server) => [nameOf(server), ...cells(server, 'calls_per_message'), ...cells(server, 'allocations_per_message')]);
  const head = ['server', ...loads.map((load) => `system calls: ${titleOf(load)}`), ...loads.map((load) => `allocations: ${titleOf(load)}`)];
  const methods = distinct(entries.map((entry) => entry.calls_counted_with).filter(Boolean)).sort();
  const text =
    'For an echo, by the size of a message and the number of connections. Calls are counted' +
    `${methods.length === 0 ? '' : ` with ${joinWords(methods)}`}, allocations by a library that is loaded before the server's own. ${dash}: there is no count.`;
  return [...table(head, rows), '', ...paragraph(text)];
}

function makeMemory(results) {
  const entries = results.list('memory');
  const counts = distinct(entries.map(({ clients }) => clients)).sort((a, b) => a - b);
  const rows = results.servers
    .filter((server) => entries.some((entry) => entry.server === server.id))
    .map((server) => [nameOf(server), ...counts.map((clients) => formatCount(entries.find((entry) => entry.server === server.id && entry.clients === clients)?.bytes_per_client))]);
  const text = 'Bytes of the server\'s own memory (anonymous, in RAM) for each idle client, which has had one echo. The kernel\'s sockets, stacks and requests are not in it.';
  return [...table(['server', ...counts.map((clients) => `${formatCount(clients)} clients`)], rows), '', ...paragraph(text)];
}

function makeIdle(results) {
  const entries = results.list('idle');
  const counts = distinct(entries.flatMap(({ steps }) => steps.map(({ idle }) => idle))).sort((a, b) => a - b);
  const rows = results.servers
    .filter((server) => entries.some((entry) => entry.server === server.id))
    .map((server) => {
      const { steps } = entries.find((entry) => entry.server === server.id);
      return [nameOf(server), ...counts.map((count) => formatNumber(steps.find(({ idle }) => idle === count)?.us_per_echo, 1))];
    });
  const ends = entries.filter(({ end }) => end).map(({ server, end }) => `${nameOf(results.server(server))}: ${end.split('\n')[0].replace(/\.$/, '')}.`);
  const text = "Microseconds of the server's processor time for an echo, beside so many idle clients. Read along the rows: how it grows is the server's doing; that two rows differ by a few tenths is not claimed.";
  return [...table(['server', ...counts.map((count) => `${formatCount(count)} idle`)], rows), '', ...paragraph(text), ...(ends.length > 0 ? ['', ...paragraph(`${dash}: ${ends.join(' ')}`)] : [])];
}

function makeCoroutine(results) {
  const entries = results.list('coroutine');
  const counts = distinct(entries.map(({ at_once }) => at_once)).sort((a, b) => a - b);
  const rows = distinct(entries.map(({ form }) => form)).map((form) => [
    form,
    ...counts.map((count) => {
      const entry = entries.find((other) => other.form === form && other.at_once === count);
      return entry ? `${formatNumber(entry.ns, 1)} (${formatNumber(entry.low, 1)} to ${formatNumber(entry.high, 1)})` : dash;
    }),
  ]);
  return [...table(['form', ...counts.map((count) => `${formatCount(count)} at once`)], rows), '', ...paragraph('Nanoseconds for one operation; the median and its 95% interval.')];
}

function makeKnobs(results) {
  const rows = results.list('knobs').map((knob) => [
    knob.name,
    describeKnob(results, knob),
    knob.against ? nameOf(results.server(knob.against)) : dash,
    `${results.load(knob.load).title}; ${knob.processors} processor${knob.processors === 'one' ? '' : 's'}`,
    formatRatio(knob.server_ratio, 3),
    formatInterval(knob.server_null, 3),
    verdictWords[judgeSide(results, knob, 'server')],
    `${formatRatio(knob.whole_ratio, 3)}, ${verdictWords[judgeSide(results, knob, 'whole')]}`,
  ]);
  const text = 'The cost with the change, divided by that of the chapter as it is. The last column counts the load\'s part of the processor time in, and is judged by a null of its own.';
  return [...table(['knob', 'what is changed', 'in', 'load', 'the server alone', 'the null', 'verdict', 'server and load'], rows), '', ...paragraph(text)];
}

// A knob that is a whole chapter says which.
function describeKnob(results, { name, what }) {
  const chapter = results.list('servers').find(({ id, kind }) => id === name && kind === 'chapter');
  return chapter && /^\d\d-/.test(chapter.id) ? `${what}: chapter ${chapter.id.slice(0, 2)}` : what;
}

// --- Circumstances ----------------------------------------------------------------------------------

function makeRanges(results, [loadId], { link }) {
  const load = results.load(loadId);
  const entries = results.servers.map((server) => results.comparison(server.id, loadId)).filter(Boolean);
  if (entries.length === 0) throw new Problem(`${results.path} has no figure of any server at ${loadId}; take this marker out, or measure it`);
  const range = (value, digits) => (value ? `${formatNumber(value.low, digits)} to ${formatNumber(value.high, digits)}` : dash);
  const rows = entries.map((entry) => [
    nameOf(results.server(entry.server)),
    range(entry.messages_per_second, 0),
    range(entry.p50_us, 0),
    range(entry.p99_us, 0),
    entry.date,
  ]);
  const what = load.reconnects ? 'visits' : 'messages';
  const text = `${load.title}, on ${describeMachine(results)}. Each range is that of the slices of one run: it tells the size of the thing, and is no ranking. [Why](${link}#what-is-not-claimed).`;
  return [...table(['server', `${what} a second`, 'p50, µs', 'p99, µs', 'date'], rows), '', ...paragraph(text)];
}

function makeMachine(results) {
  const machine = results.object('machine');
  const settings = results.object('settings');
  const gibibytes = Number.isFinite(machine.memory_gib) ? `${machine.memory_gib} GiB` : undefined;
  const rows = [
    ['kernel', machine.kernel],
    ['processor', machine.processor],
    ['processors', machine.processors],
    ['memory', gibibytes],
    ['compiler', machine.compiler],
    ['liburing', machine.liburing],
    ['congestion control', machine.congestion_control],
    ['mitigations', machine.mitigations],
    ['measured', describeDays(machine)],
    ['compared with', nameOf(results.baseline)],
    ['pairs of slices', settings.pairs],
    ['a slice', Number.isFinite(settings.slice_ms) ? `${settings.slice_ms} ms` : undefined],
    ...results.servers.filter(({ version }) => version).map((server) => [nameOf(server), server.version]),
  ];
  return table(['', ''], rows.map(([key, value]) => [key, value === undefined || value === null || value === '' ? dash : value]));
}

// What the baseline itself took at each load, while one server after another was measured beside it: the same
// program with the same work, at other times.
function makeDrift(results) {
  const entries = results.list('against_baseline').filter((entry) => Number.isFinite(entry.baseline_us_per_message));
  const rows = results.list('loads').flatMap((load) => {
    const costs = entries.filter((entry) => entry.load === load.id).map((entry) => entry.baseline_us_per_message);
    if (costs.length < 2) return [];
    const [low, high] = [Math.min(...costs), Math.max(...costs)];
    return [[load.title, String(costs.length), `${low.toFixed(1)} to ${high.toFixed(1)}`, (high / low).toFixed(2)]];
  });
  const head = ['load', 'measured so many times', `${nameOf(results.baseline)}: microseconds a message`, 'greatest by smallest'];
  return table(head, rows);
}

function makeLeftOut(results) {
  const reasons = new Map();
  for (const { server, load, why } of results.list('left_out')) {
    const key = JSON.stringify([server, why]);
    reasons.set(key, [...(reasons.get(key) ?? []), titleOfPart(results, load)]);
  }
  const rows = [...reasons].map(([key, titles]) => {
    const [server, why] = JSON.parse(key);
    return [nameOf(results.server(server)), titles.join('; '), why];
  });
  return table(['server', 'left out of', 'because'], rows);
}

// What was left out is a load, or another part of the run.
function titleOfPart(results, id) {
  const titles = { idle: 'idle clients', counted: 'what is counted', memory: 'memory' };
  return titles[id] ?? results.list('loads').find((load) => load.id === id)?.title ?? id;
}

function describeMachine(results) {
  const { processor, processors, kernel } = results.object('machine');
  return `${processor} with ${processors} processors, ${kernel}`;
}

function describeDays({ first_day: first, last_day: last }) {
  return first === last ? first : `${first} to ${last}`;
}

// --- Forms ------------------------------------------------------------------------------------------

function nameOf(server) {
  return server.label;
}

function describeConnections({ connections }) {
  return `CPU, ${formatCount(connections)} ${connections === 1 ? 'connection' : 'connections'}`;
}

function formatRatio(ratio, digits = 2) {
  return Number.isFinite(ratio?.median) ? `${ratio.median.toFixed(digits)} (${formatInterval(ratio, digits)})` : dash;
}

function formatInterval(ratio, digits = 2) {
  if (!Number.isFinite(ratio?.low) || !Number.isFinite(ratio?.high)) return 'no interval';
  return `${ratio.low.toFixed(digits)} to ${ratio.high.toFixed(digits)}`;
}

// Few or many of something that was counted: two places tell 0.50 from 0.52, and a little is not nothing.
function formatCalls(value) {
  if (!Number.isFinite(value)) return dash;
  if (value === 0) return '0';
  return value < 0.005 ? 'under 0.01' : formatNumber(value, 2);
}

export function formatCount(value) {
  return formatNumber(value, 0);
}

export function formatNumber(value, digits) {
  if (!Number.isFinite(value)) return dash;
  const [whole, fraction] = value.toFixed(digits).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

function formatSize(bytes) {
  return bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} B`;
}

function joinWords(words) {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function distinct(values, keyOf = (value) => value) {
  const seen = new Map();
  for (const value of values) if (!seen.has(keyOf(value))) seen.set(keyOf(value), value);
  return [...seen.values()];
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map((cell) => String(cell).replace(/\|/g, '\\|')).join(' | ')} |`);
}

// At the width of the texts around it.
function paragraph(text, width = 140) {
  const lines = [''];
  for (const word of text.split(' ')) {
    if (lines.at(-1) !== '' && lines.at(-1).length + 1 + word.length > width) lines.push('');
    lines[lines.length - 1] += (lines.at(-1) === '' ? '' : ' ') + word;
  }
  return lines;
}
