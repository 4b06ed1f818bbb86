// The figures of ./learn fleet as tables: for the terminal, and for docs/fleet.md.

const machines = ['m1', 'm2', 'm3'];
const columns = [
  ['', ({ title }) => title],
  ['connections', ({ connections }) => formatCount(connections)],
  ['refused', ({ refused }) => formatCount(refused)],
  ['reset', ({ reset }) => formatCount(reset)],
  ['timed out', ({ timed_out }) => formatCount(timed_out)],
  ['after a half-close', ({ timed_out_half_closed: count }) => formatCount(count)],
  ['cut off', ({ cut_off }) => formatCount(cut_off)],
  ['ended', ({ ended }) => formatCount(ended)],
  ['bytes sent', ({ bytes_sent }) => formatCount(bytes_sent)],
  ["not echoed: visitors'", ({ not_echoed }) => formatCount(not_echoed.visitors)],
  ["slow readers'", ({ not_echoed }) => formatCount(not_echoed.readers)],
  ["residents'", ({ not_echoed }) => formatCount(not_echoed.residents)],
  ['longest wait', ({ longest_wait_ms }) => formatTime(longest_wait_ms)],
  ['found down after', ({ noticed_ms }) => formatNotice(noticed_ms)],
];

/** Head and rows: what the clients have seen in each scenario. */
export function tabulate(results) {
  return [columns.map(([head]) => head), ...results.map((result) => columns.map(([, format]) => format(result)))];
}

/** Head and rows: how many connections the balancer had to each machine at the end of each scenario. */
export function tabulateOpen(results) {
  return [['', ...machines], ...results.map(({ title, open_at_the_end: open }) => [title, ...machines.map((machine) => formatCount(open[machine]))])];
}

/** For a terminal: in columns, numbers to the right. */
export function alignColumns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd());
}

function formatCount(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

// Null: the balancer should have found it down, and has not.
function formatNotice(milliseconds) {
  if (milliseconds === null) return 'never';
  return milliseconds === undefined ? '–' : formatTime(milliseconds);
}

function formatTime(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
