#!/usr/bin/env node
// Shows the processes, threads, descriptors and sockets of a chapter's running server, live.

import { setTimeout as sleep } from 'node:timers/promises';
import { isCapable, makePainter } from './colour.mjs';
import { readCommandLine, readNumber, splitAtDashes } from './command-line.mjs';
import { connectClients, mostClients } from './crowd.mjs';
import { drawPicture } from './picture.mjs';
import { Problem, UsageProblem } from './problem.mjs';
import { mayLookInto, readStat } from './proc.mjs';
import { Observer } from './processes.mjs';
import { runTool } from './program.mjs';
import { QuietWatcher } from './quiet.mjs';
import { startServer } from './run-server.mjs';
import { Screen } from './screen.mjs';
import { describeEndpoint, nameHost } from './socket-table.mjs';

const usage = 'watch NAME EXECUTABLE [--once] [--clients N] [--interval MS] [--port P] [-- SERVER-OPTION...]\n'
  + '       watch --pid PID [--once] [--clients N] [--interval MS]';
const lastDiagnostics = 5; // lines
const howToFindServers = "the servers that run: pgrep -a '^[0-9]{2}-'";

runTool('watch', usage, async (scope) => {
  const settings = readSettings(process.argv.slice(2));
  const server = settings.pid ? findServer(settings.pid) : await startWatched(scope, settings);
  const observer = new Observer(server.pid);
  settings.crowd = await connectClients(scope, settings.clients, server);
  if (settings.isOnce) await drawOnce(server, observer, settings);
  else await drawForEver(scope, server, observer, settings);
});

function readSettings(words) {
  const [ownWords, serverOptions] = splitAtDashes(words);
  const options = readCommandLine(ownWords, {
    once: { type: 'boolean' }, clients: { type: 'string' }, interval: { type: 'string' }, port: { type: 'string' }, pid: { type: 'string' },
  }, ({ pid }) => pid === undefined);
  const isOnce = Boolean(options.once) || !isCapable();
  const pid = readNumber(options, 'pid', { minimum: 1, maximum: 2 ** 22 });
  if (pid && (options.port || serverOptions.length > 0)) {
    throw new UsageProblem('--pid watches a server that runs already: --port and server options are for one to be started');
  }
  const port = readNumber(options, 'port', { fallback: 0, minimum: 0, maximum: 65535 });
  return {
    name: options.name,
    executable: options.executable,
    isOnce,
    pid,
    clients: readNumber(options, 'clients', { fallback: isOnce && !pid ? 2 : 0, minimum: 0, maximum: mostClients }),
    interval: readNumber(options, 'interval', { fallback: 500, minimum: 20, maximum: 60_000 }),
    serverOptions: ['--port', String(port), ...serverOptions],
  };
}

async function startWatched(scope, { name, executable, serverOptions }) {
  const server = await startServer(scope, executable, { options: serverOptions });
  const address = { address: server.host, port: server.port };
  return { name, pid: server.group, address, process: server, waitForQuiet: makeQuietWait(server.group) };
}

function findServer(pid) {
  const stat = readStat(pid);
  if (stat === null || stat.state === 'Z') throw new Problem(`no process ${pid} runs; ${howToFindServers}`);
  if (!mayLookInto(pid)) throw new Problem(`process ${pid} (${stat.name}) belongs to somebody else; look into it as root: sudo ./learn watch --pid ${pid}`);
  return { name: stat.name, pid, address: demandOwnListener(pid, stat.name), process: null, waitForQuiet: makeQuietWait(stat.group) };
}

/** The address on which the process itself listens: a shell from which a server was started is not that server. */
function demandOwnListener(pid, name) {
  const listeners = new Observer(pid).look()?.listeners ?? [];
  const own = listeners.find((listener) => listener.pid === pid);
  if (own !== undefined) return own;
  const advice = listeners.length > 0
    ? `process ${listeners[0].pid} (${readStat(listeners[0].pid)?.name}), which descends from it, has one: ./learn watch --pid ${listeners[0].pid}`
    : howToFindServers;
  throw new Problem(`process ${pid} (${name}) has no listening socket of its own; ${advice}`);
}

function makeQuietWait(group) {
  const quiet = new QuietWatcher(group);
  return (stretch) => quiet.wait(stretch);
}

async function drawOnce(server, observer, settings) {
  const seen = observer.look();
  if (seen === null) throw await describeEnd(server);
  const lines = drawPicture(seen, makePainter(), { heading: drawHeading(server, settings.crowd) });
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function drawForEver(scope, server, observer, settings) {
  const paint = makePainter();
  const screen = new Screen(scope);
  while (true) {
    const seen = observer.look();
    if (seen === null) throw await describeEnd(server);
    const diagnostics = (server.process?.diagnostics ?? '').split('\n').filter(Boolean).slice(-lastDiagnostics);
    const footer = [
      ...(diagnostics.length > 0 ? ['', paint('bold', "the server's stderr"), ...diagnostics] : []),
      '',
      paint('faint', server.process ? 'q ends the server and everything else' : 'q ends this picture; the server goes on'),
    ];
    const heading = drawHeading(server, settings.crowd);
    screen.draw(drawPicture(seen, paint, { heading, rows: screen.rows - footer.length }), footer);
    await sleep(settings.interval);
  }
}

function drawHeading(server, { connected, refused, left, reason }) {
  const own = connected === 0 ? '' : `, with ${connected} client${connected === 1 ? '' : 's'} of this command`;
  const others = [refused > 0 && `${refused} more without one: ${reason}`, left > 0 && `${left} more found no room in its accept queue`];
  return [
    `${server.name} listens on ${describeEndpoint(server.address)}${own}`,
    `in another terminal: nc -N ${nameHost(server.address.address)} ${server.address.port}   (each line comes back; Ctrl-D ends it)`,
    ...others.filter(Boolean),
  ];
}

async function describeEnd(server) {
  if (server.process === null) return new Problem(`${server.name}, process ${server.pid}, has ended`);
  const words = server.process.diagnostics.trim();
  return new Problem(`the server has ended: ${await server.process.ended}${words ? `; it said: ${words}` : ''}`);
}
