// Draws what Observer.look() has seen, as lines of text.

import { styleOfRole } from './colour.mjs';

/**
 * The lines of the picture. `heading` are lines to put above it. Where they are more than `rows`, what a
 * process has inherited from the server as stdin, stdout and stderr is left out.
 */
export function drawPicture({ tasks, descriptors, sockets }, paint, { heading = [], rows = Infinity } = {}) {
  const draw = (isShort) => [
    ...heading,
    '',
    ...drawTasks(tasks, paint),
    '',
    ...drawSockets(sockets, paint),
    '',
    ...drawDescriptors(descriptors, paint, isShort),
  ];
  const lines = draw(false);
  return lines.length > rows ? draw(true) : lines;
}

function drawTasks(tasks, paint) {
  const branches = drawBranches(tasks.map(({ depth }) => depth));
  const rows = tasks.map((task, index) => [
    `${branches[index]}${task.role}`,
    String(task.pid),
    task.state,
    task.blockedIn,
    `${task.cpuSeconds.toFixed(2)} s${task.cpuShare === null ? '' : ` ${Math.round(task.cpuShare * 100)} %`}`,
    task.memoryKib === undefined ? '' : `${(task.memoryKib / 1024).toFixed(1)} MB`,
    task.threads === undefined ? '' : String(task.threads),
  ]);
  const lines = alignColumns([['processes', 'pid', 'state', 'blocked in', 'CPU', 'memory', 'threads'], ...rows]);
  return [paint('bold', lines[0]), ...lines.slice(1).map((line, index) => paintTask(line, tasks[index], paint))];
}

function paintTask(line, { role, state }, paint) {
  return paint(state === 'zombie' ? 'red' : styleOfRole(role), line);
}

/** `├─ ` and `└─ ` in front of the members of a tree that is given by their depths. */
export function drawBranches(depths) {
  return depths.map((depth, index) => {
    let text = '';
    for (let level = 1; level <= depth; level += 1) {
      const later = depths.slice(index + 1);
      const next = later.findIndex((other) => other <= level);
      const goesOn = next !== -1 && later[next] === level;
      text += level === depth ? (goesOn ? '├─ ' : '└─ ') : (goesOn ? '│  ' : '   ');
    }
    return text;
  });
}

function drawDescriptors(descriptors, paint, isShort) {
  const width = Math.max(0, ...descriptors.map(({ role }) => role.length));
  const inherited = foldStandard(descriptors.find(({ role }) => role === 'server')?.list ?? [])[0]?.what;
  const lines = descriptors.flatMap(({ role, list }) => foldStandard(list)
    .filter(({ what }) => !(isShort && role !== 'server' && what === inherited))
    .map(({ numbers, what }, index) =>
      `${paint(styleOfRole(role), (index === 0 ? role : '').padEnd(width))}  ${numbers.padStart(3)}  ${what}`));
  return [paint('bold', 'descriptors'), ...lines];
}

const standardNames = ['stdin', 'stdout', 'stderr'];

/** The rows of a process: stdin, stdout and stderr share one, those that go to the same place share a word there. */
function foldStandard(list) {
  const standard = list.filter(({ number }) => number < standardNames.length);
  const groups = [];
  for (const { number, what } of standard) {
    if (groups.at(-1)?.what === what) groups.at(-1).names.push(standardNames[number]);
    else groups.push({ what, names: [standardNames[number]] });
  }
  const numbers = [...new Set([standard[0]?.number, standard.at(-1)?.number])].join('-');
  const text = groups.map(({ what, names }) => `${names.join(', ')}: ${what}`).join('; ');
  return [
    ...(standard.length > 0 ? [{ numbers, what: text }] : []),
    ...list.slice(standard.length).map(({ number, what }) => ({ numbers: String(number), what })),
  ];
}

function drawSockets(sockets, paint) {
  const rows = sockets.map(({ whose, state, local, peer, toRead, toSend, waiting }) => [
    whose, state, local, peer, toRead ?? '', toSend ?? '', waiting === null ? '' : `${waiting} in the accept queue`,
  ].map(String));
  const [title, ...lines] = alignColumns([['sockets', 'state', 'local', 'peer', 'to read', 'to send', ''], ...rows]);
  return [paint('bold', title), ...(lines.length > 0 ? lines : ['none'])];
}

function alignColumns(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd());
}
