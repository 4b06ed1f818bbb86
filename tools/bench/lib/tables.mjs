// The results as text for a terminal.

import { grouped } from './plan.mjs';
import { verdictOf } from './results.mjs';

const words = { less: 'costs less', more: 'costs more', none: 'no difference shown' };

export function printResults(results, write) {
  for (const load of results.loads) {
    const entries = results.against_baseline.filter((entry) => entry.load === load.id);
    if (entries.length > 0) write(comparisonTable(results, load, entries));
  }
  if (results.counted.length > 0) write(countedTable(results));
  if (results.memory.length > 0) write(memoryTable(results));
  if (results.idle.length > 0) write(idleTable(results));
  if (results.coroutine.length > 0) write(coroutineTable(results));
  if (results.knobs.length > 0) write(knobTable(results));
}

function comparisonTable(results, load, entries) {
  const rows = entries.map((entry) => [
    labelOf(results, entry.server),
    formatRatio(entry.server_ratio),
    formatRatio(entry.server_null),
    words[verdictOf(entry.server_ratio, entry.server_null)],
    entry.us_per_message.toFixed(1),
    formatRange(entry.messages_per_second),
    formatRange(entry.p50_us),
    formatRange(entry.p99_us),
    entry.wrong_bytes > 0 ? `WRONG BYTES: ${entry.wrong_bytes}` : '',
  ]);
  const head = ['', `CPU by ${results.settings.baseline}`, 'the null', '', 'us', load.reconnects ? 'visits/s' : 'messages/s', 'p50 us', 'p99 us', ''];
  return `${load.title}\n${formatTable(head, rows)}`;
}

function countedTable(results) {
  const rows = results.counted.map((entry) => [
    labelOf(results, entry.server), String(entry.connections), entry.calls_per_message.toFixed(2),
    entry.allocations_per_message === null ? '-' : entry.allocations_per_message.toFixed(2), String(entry.wrong_bytes),
  ]);
  return `Counted, an echo of 64 B\n${formatTable(['', 'connections', 'system calls', 'allocations', 'wrong bytes'], rows)}`;
}

function memoryTable(results) {
  const rows = results.memory.map((entry) => [labelOf(results, entry.server), grouped(entry.clients), grouped(entry.bytes_per_client)]);
  return `Memory of the process for each idle client\n${formatTable(['', 'clients', 'bytes each'], rows)}`;
}

function idleTable(results) {
  const steps = [...new Set(results.idle.flatMap((entry) => entry.steps.map(({ idle }) => idle)))].sort((a, b) => a - b);
  const rows = results.idle.map((entry) => [
    labelOf(results, entry.server),
    ...steps.map((idle) => entry.steps.find((step) => step.idle === idle)?.us_per_echo.toFixed(1) ?? '-'),
  ]);
  return `Microseconds of CPU for an echo of one client beside idle ones\n${formatTable(['idle clients', ...steps.map(grouped)], rows)}`;
}

function coroutineTable(results) {
  const rows = results.coroutine.map((entry) => [entry.form, String(entry.at_once), entry.ns.toFixed(1), `${entry.low.toFixed(1)} to ${entry.high.toFixed(1)}`]);
  return `An operation that does nothing (IORING_OP_NOP), nanoseconds\n${formatTable(['', 'at once', 'ns', '95%'], rows)}`;
}

function knobTable(results) {
  const rows = results.knobs.map((entry) => [
    entry.what, entry.against, entry.load, entry.processors, formatRatio(entry.server_ratio), formatRatio(entry.server_null),
    words[verdictOf(entry.server_ratio, entry.server_null)],
  ]);
  return `Knobs of io_uring\n${formatTable(['', 'against', 'load', 'processors', 'CPU', 'the null', ''], rows)}`;
}

function labelOf(results, id) {
  return results.servers.find((server) => server.id === id)?.label ?? id;
}

function formatRatio({ median, low, high }) {
  if (low === null) return `${median?.toFixed(2) ?? '-'}`;
  return `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

function formatRange({ low, high }) {
  return `${grouped(low)} to ${grouped(high)}`;
}

// The first column to the left, the others to the right.
export function formatTable(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const lines = all.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ').trimEnd());
  return lines.map((line) => `  ${line}\n`).join('');
}
