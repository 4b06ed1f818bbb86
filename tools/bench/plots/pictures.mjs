// The pictures of docs/measurements.md. Each is a function of the published run and of nothing else.

import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { formatCount, formatNumber } from '../../docs/lib/figures.mjs';
import { withoutNumber } from '../../chapters.mjs';
import { Problem } from '../../docs/lib/problem.mjs';
import { chooseRows, formatBytes, panelTitles, ratioDomain, ratioPoints, ratioTicks, roundTicks, shortLabel, spreadLabels } from './shape.mjs';
import { colours, finishSvg } from './svg.mjs';

// Narrow enough for a phone: there a picture is shown at three quarters of its size.
const width = 500;
const rowHeight = 19;
const labelWidth = 118;

const pictures = {
  ratio: { draw: drawRatio, title: 'Processor time of the server for an echo of 64 bytes, by that of chapter BASELINE' },
  sizes: { draw: drawSizes, title: 'Processor time of the server for an echo at 50 connections, by the size of a message' },
  visits: { draw: drawVisits, title: 'Processor time of the server for a visit: connect, one echo, close' },
  idle: { draw: drawIdle, title: 'Processor time of the server for an echo, beside clients that say nothing' },
  memory: { draw: drawMemory, title: 'Memory of the server for each idle client' },
  calls: { draw: drawCalls, title: 'System calls for an echo of 64 bytes' },
  coroutine: { draw: drawCoroutine, title: 'One operation, awaited in four forms' },
};

// The text of an SVG file. Throws a Problem when the run lacks what the picture shows.
export function drawPicture(name, results) {
  const { draw, title } = pictures[name];
  const { drawing, description } = draw(results);
  const [number] = results.baseline.label.split(' ');
  return finishSvg(drawing, name, ...[title, description].map((text) => text.replaceAll('BASELINE', number)));
}

function render(options) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  return Plot.plot({ document, width, ...options }).outerHTML;
}

// --- Ratios -----------------------------------------------------------------------------------------

// Plot leaves labels of a logarithmic axis out as it sees fit, so ticks and labels are drawn here.
function ticksBelow(ticks, format, { stroke = 0.15 } = {}) {
  return [
    Plot.gridX({ ticks, stroke: 'currentColor', strokeOpacity: stroke }),
    Plot.text(ticks, { x: (tick) => tick, text: format, frameAnchor: 'bottom', dy: 15, fontSize: 12 }),
  ];
}

const axisOfRows = () => Plot.axisY({ anchor: 'left', label: null, tickSize: 0, fontSize: 13, tickPadding: 4 });
const titlesOfPanels = () => Plot.axisFx({ anchor: 'top', label: null, fontSize: 12.5, tickSize: 0, tickPadding: 10 });

const ratioReading =
  'One row for each server, one column for each load. A dot is the median of the ratios to chapter BASELINE, the bar through it the 95% interval; ' +
  'the grey band behind it is the null, by how much chapter BASELINE seems to differ from itself. ' +
  'Blue: costs less. Orange: costs more. A grey dot: the bar touches the band, and no difference is shown.';

function drawRatio(results) {
  return drawRatios(results, ['64B-1', '64B-50', '64B-1000']);
}

function drawSizes(results) {
  return drawRatios(results, ['64B-50', '1K-50', '16K-50', '64K-50']);
}

function drawVisits(results) {
  return drawRatios(results, ['visits-8']);
}

function drawRatios(results, loadIds) {
  // A run of a reader's own need not have all of them.
  const loads = results.list('loads').filter(({ id }) => loadIds.includes(id)).sort((a, b) => loadIds.indexOf(a.id) - loadIds.indexOf(b.id));
  const points = ratioPoints(results, loads);
  const { rows } = chooseRows(results, (server) => points.some(({ row, verdict }) => row === shortLabel(server) && (verdict !== 'baseline' || points.length > loads.length)));
  if (rows.length === 0) throw new Problem(`${results.path} has no ratio at ${loadIds.join(', ')}; take this plot out, or measure it`);
  const domain = ratioDomain(points);
  const place = { y: 'row', fx: 'panel' };
  const hasTitles = loads.length > 1;
  const radius = hasTitles ? 2.8 : 3.5; // in a narrow column a large dot would hide the bar
  const dots = (verdict, style) => Plot.dot(points.filter((point) => point.verdict === verdict && !point.beyond), { ...place, x: 'median', r: radius, ...style });
  const bars = (verdict, stroke, strokeOpacity = 1) => Plot.ruleY(points.filter((point) => point.verdict === verdict && !point.beyond), { ...place, x1: 'low', x2: 'high', stroke, strokeOpacity, strokeWidth: 2 });
  const beyond = (isMore) => points.filter((point) => point.beyond && point.median > 1 === isMore);
  const words = (isMore) => ({ ...place, x: 'median', text: (point) => (isMore ? `${point.beyond} ▸` : `◂ ${point.beyond}`), textAnchor: isMore ? 'end' : 'start', fill: isMore ? colours.more : colours.less, fontSize: 12 });
  const direction = (text, isMore) => Plot.text([text], { x: () => 1, dx: isMore ? 5 : -5, frameAnchor: 'bottom', dy: 32, textAnchor: isMore ? 'start' : 'end', fill: isMore ? colours.more : colours.less, fontSize: 12 });
  const drawing = render({
    height: rows.length * rowHeight + (hasTitles ? 72 : 46),
    marginLeft: labelWidth,
    marginRight: 8,
    marginTop: hasTitles ? 30 : 4,
    marginBottom: 42,
    fx: { domain: panelTitles(loads), label: null, axis: null, padding: 0.08 },
    x: { type: 'log', domain, axis: null },
    y: { domain: rows, label: null, axis: null, padding: 0 },
    marks: [
      ...ticksBelow(ratioTicks(domain, [7, 7, 5, 4, 3][loads.length]), String),
      Plot.barX(points.filter(({ verdict, beyond: isBeyond }) => verdict !== 'baseline' && !isBeyond), { ...place, x1: 'nullLow', x2: 'nullHigh', fill: 'currentColor', fillOpacity: 0.18, inset: 1 }),
      Plot.ruleX([1], { stroke: 'currentColor', strokeOpacity: 0.6 }),
      bars('none', 'currentColor', 0.6),
      bars('less', colours.less),
      bars('more', colours.more),
      dots('none', { fill: 'currentColor', fillOpacity: 0.6 }),
      dots('less', { fill: colours.less }),
      dots('more', { fill: colours.more }),
      dots('baseline', { fill: 'currentColor', symbol: 'diamond', r: 4 }),
      Plot.text(beyond(true), words(true)),
      Plot.text(beyond(false), words(false)),
      direction(loads.length > 3 ? 'less' : '◂ less', false),
      direction(loads.length > 3 ? 'more' : 'more ▸', true),
      ...(hasTitles ? [titlesOfPanels()] : []),
      axisOfRows(),
    ],
  });
  return { drawing, description: ratioReading };
}

// --- Idle clients -----------------------------------------------------------------------------------

// Those who ask about everybody, and those who are told; the strokes tell apart who would share a colour.
const idleLines = [
  { name: 'state', label: 'state', colour: colours.more, dash: '2 4' },
  { name: 'select', label: 'select', colour: colours.more, dash: '8 4' },
  { name: 'poll', label: 'poll', colour: colours.more },
  { name: 'signal-driven', label: 'signals', colour: colours.less, dash: '2 4' },
  { name: 'epoll', label: 'epoll', colour: colours.less },
  { name: 'io-uring', label: 'io_uring', colour: colours.less, dash: '8 4' },
];

function drawIdle(results) {
  const entries = results.list('idle');
  const lines = idleLines.flatMap((line) => {
    const entry = entries.find(({ server }) => withoutNumber(server) === line.name);
    const steps = entry?.steps ?? [];
    // Those who are connected: a logarithm has no place for none.
    return steps.length === 0 ? [] : [{ ...line, label: `${/^\d\d /.exec(results.server(entry.server).label) ?? ''}${line.label}`, points: steps.map(({ idle, us_per_echo: us }) => ({ clients: idle + 1, us })) }];
  });
  if (lines.length === 0) throw new Problem(`${results.path} has no idle clients of the chapters that this plot shows; take it out, or measure them`);
  const all = lines.flatMap(({ points }) => points);
  const size = { height: 380, marginLeft: 52, marginRight: 112, marginTop: 34, marginBottom: 44 };
  const domain = [Math.min(...all.map(({ us }) => us)) / 2, Math.max(...all.map(({ us }) => us)) * 1.4];
  const bottom = size.height - size.marginBottom;
  const toPixel = (us) => bottom - (Math.log(us / domain[0]) / Math.log(domain[1] / domain[0])) * (bottom - size.marginTop);
  const toValue = (pixel) => domain[0] * (domain[1] / domain[0]) ** ((bottom - pixel) / (bottom - size.marginTop));
  const most = Math.max(...all.map(({ clients }) => clients));
  // A line that ends early has its label in the picture, at its own end; the others share the margin.
  const early = lines.filter(({ points }) => points.at(-1).clients < most);
  const late = lines.filter(({ points }) => points.at(-1).clients === most);
  const places = spreadLabels(late.map(({ points }) => toPixel(points.at(-1).us)), 17, bottom);
  const label = (line, x, y, options) => Plot.text([line], { x: () => x, y: () => y, text: 'label', textAnchor: 'start', fill: line.colour, ...options });
  const lastOf = ({ points }) => points.at(-1);
  const drawing = render({
    ...size,
    x: { type: 'log', domain: [1, most], label: null },
    y: { type: 'log', domain, label: null },
    marks: [
      Plot.gridY({ ticks: decades(domain), stroke: 'currentColor', strokeOpacity: 0.15 }),
      Plot.axisX(decades([1, most]), { label: null, tickFormat: formatCount, fontSize: 12.5 }),
      Plot.axisY(decades(domain), { label: null, tickFormat: formatCount, fontSize: 12.5, tickSize: 0 }),
      Plot.text(['microseconds of the server for an echo'], { frameAnchor: 'top-left', dx: -46, dy: -24, textAnchor: 'start', fontSize: 13 }),
      Plot.text(['clients connected, of whom one speaks'], { frameAnchor: 'bottom', dy: 38, fontSize: 13 }),
      ...lines.flatMap((line) => [
        Plot.line(line.points, { x: 'clients', y: 'us', stroke: line.colour, strokeWidth: 2.2, strokeDasharray: line.dash }),
        Plot.dot(line.points, { x: 'clients', y: 'us', r: 2.6, fill: line.colour }),
      ]),
      ...early.map((line) => label(line, lastOf(line).clients, lastOf(line).us, { dx: 6, dy: 14 })),
      ...late.map((line, index) => label(line, most, toValue(places[index]), { dx: 9 })),
    ],
  });
  const ends = lines.map((line) => `${line.label}: ${formatNumber(line.points[0].us, 1)} alone, ${formatNumber(lastOf(line).us, 1)} among ${formatCount(lastOf(line).clients)}`);
  return {
    drawing,
    description: `Both axes are logarithmic. Lines of those who ask about every client (orange) rise with their number; lines of those who are told (blue) stay level. Microseconds of processor time for an echo: ${ends.join('; ')}.`,
  };
}

function decades([low, high]) {
  const ticks = [];
  for (let tick = 10 ** Math.ceil(Math.log10(low) - 1e-9); tick <= high * 1.0001; tick *= 10) ticks.push(tick);
  return ticks;
}

// --- Rows with their numbers ------------------------------------------------------------------------

function drawMemory(results) {
  const entries = results.list('memory');
  const clients = mostUsual(entries.map((entry) => entry.clients));
  const valueOf = ({ id }) => entries.find((entry) => entry.server === id && entry.clients === clients)?.bytes_per_client;
  const { rows, servers } = chooseRows(results, (server) => valueOf(server) > 0);
  const points = servers.map((server) => ({ row: shortLabel(server), bytes: valueOf(server) }));
  const values = points.map(({ bytes }) => bytes);
  const domain = [Math.min(...values) / 1.5, Math.max(...values) * 1.2];
  const drawing = render({
    height: rows.length * rowHeight + 40,
    marginLeft: labelWidth,
    marginRight: 78,
    marginTop: 8,
    marginBottom: 32,
    x: { type: 'log', domain, axis: null },
    y: { domain: rows, label: null, axis: null, padding: 0 },
    marks: [
      ...ticksBelow(powers(domain, 4), formatBytesShort),
      axisOfRows(),
      Plot.dot(points, { x: 'bytes', y: 'row', r: 4, fill: colours.less }),
      Plot.text(points, { x: 'bytes', y: 'row', text: ({ bytes }) => formatBytes(bytes), dx: 9, textAnchor: 'start', fontSize: 12 }),
    ],
  });
  return { drawing, description: `One row for each server, with ${formatCount(clients)} idle clients connected. The axis is logarithmic; each step of it is four times the one before. ${describeRows(points, ({ bytes }) => formatBytes(bytes))}` };
}

// The number of clients with which most servers were measured; those who cannot have more have that.
function mostUsual(counts) {
  const frequency = (count) => counts.filter((other) => other === count).length;
  return [...new Set(counts)].sort((a, b) => frequency(b) - frequency(a) || a - b)[0];
}

function powers([low, high], base) {
  const ticks = [];
  for (let tick = 1; tick <= high; tick *= base) if (tick >= low) ticks.push(tick);
  return ticks;
}

function formatBytesShort(bytes) {
  return bytes < 1024 ? `${bytes} B` : bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${bytes / 1024 / 1024} MiB`;
}

function drawCalls(results) {
  const entries = results.list('counted').filter((entry) => entry.message_bytes === 64 && [50, 1000].includes(entry.connections) && Number.isFinite(entry.calls_per_message));
  const panels = [50, 1000].filter((connections) => entries.some((entry) => entry.connections === connections));
  if (panels.length === 0) throw new Problem(`${results.path} has counted no system calls at 50 or 1,000 connections of 64 bytes; take this plot out, or count them`);
  const { rows, servers } = chooseRows(results, ({ id }) => entries.some(({ server }) => server === id));
  const titleOf = (connections) => `${formatCount(connections)} connections`;
  const most = 6; // a bar that is longer is cut, and says so
  const points = servers.flatMap((owner) =>
    entries.filter(({ server }) => server === owner.id).map((entry) => ({ row: shortLabel(owner), panel: titleOf(entry.connections), calls: entry.calls_per_message, end: Math.min(most, entry.calls_per_message) })),
  );
  const highest = Math.max(1, ...points.map(({ end }) => end));
  const ticks = [0, 1, 2, 3, 4, 5, 6].filter((tick) => tick <= highest);
  const place = { y: 'row', fx: 'panel' };
  const drawing = render({
    height: rows.length * rowHeight + 62,
    marginLeft: labelWidth,
    marginRight: 8,
    marginTop: 30,
    marginBottom: 28,
    fx: { domain: panels.map(titleOf), label: null, axis: null, padding: 0.06 },
    x: { domain: [0, highest * 1.32], axis: null },
    y: { domain: rows, label: null, axis: null, paddingInner: 0.3, paddingOuter: 0.1 },
    marks: [
      ...ticksBelow(ticks, String),
      Plot.barX(points, { ...place, x1: 0, x2: 'end', fill: colours.less }),
      Plot.text(points, { ...place, x: 'end', text: ({ calls, end }) => (calls > end ? '▸ ' : '') + formatNumber(calls, 2), dx: 4, textAnchor: 'start', fontSize: 12 }),
      titlesOfPanels(),
      axisOfRows(),
    ],
  });
  return { drawing, description: `One row for each server, one column for each number of connections; a bar is the system calls for an echo. ${panels.map((connections) => `At ${titleOf(connections)}: ${describeRows(points.filter(({ panel }) => panel === titleOf(connections)), ({ calls }) => formatNumber(calls, 2))}`).join(' ')}` };
}

function drawCoroutine(results) {
  const entries = results.list('coroutine');
  const titleOf = (count) => (count === 1 ? 'one at a time' : `${formatCount(count)} at once`);
  const counts = [...new Set(entries.map(({ at_once }) => at_once))].sort((a, b) => a - b);
  const rows = [...new Set(entries.map(({ form }) => form))];
  const points = entries.map((entry) => ({ ...entry, row: entry.form, panel: titleOf(entry.at_once) }));
  const place = { y: 'row', fx: 'panel' };
  const highest = Math.max(...points.map(({ high, ns }) => high ?? ns));
  const drawing = render({
    height: rows.length * 28 + 76,
    marginLeft: 84,
    marginRight: 12,
    marginTop: 30,
    marginBottom: 44,
    fx: { domain: counts.map(titleOf), label: null, axis: null, padding: 0.08 },
    x: { domain: [0, highest * 1.3], axis: null },
    y: { domain: rows, label: null, axis: null, padding: 0.2 },
    marks: [
      ...ticksBelow(roundTicks(highest), String),
      Plot.ruleX([0], { stroke: 'currentColor', strokeOpacity: 0.5 }),
      Plot.ruleY(points, { ...place, x1: 'low', x2: 'high', stroke: colours.less, strokeWidth: 2 }),
      Plot.dot(points, { ...place, x: 'ns', r: 4, fill: colours.less }),
      Plot.text(points, { ...place, x: (point) => point.high ?? point.ns, text: ({ ns }) => formatNumber(ns, 1), dx: 9, textAnchor: 'start', fontSize: 12.5 }),
      Plot.text(counts.slice(0, 1), { fx: titleOf, text: () => 'nanoseconds', frameAnchor: 'bottom-left', dy: 36, textAnchor: 'start', fontSize: 13 }),
      titlesOfPanels(),
      axisOfRows(),
    ],
  });
  return { drawing, description: `Nanoseconds for one operation, the median as a dot and the 95% interval as a bar. ${counts.map((count) => `${titleOf(count)}: ${describeRows(points.filter(({ at_once }) => at_once === count), ({ ns }) => formatNumber(ns, 1))}`).join(' ')}` };
}

function describeRows(points, describe) {
  return `${points.map((point) => `${point.row} ${describe(point)}`).join(', ')}.`;
}
