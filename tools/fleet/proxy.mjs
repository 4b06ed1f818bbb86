// The check of the exercise in docs/fleet.md: does a server understand the line with which a balancer says who the client is?

import { fileURLToPath } from 'node:url';
import { startBalancer } from './balancer.mjs';
import { Child } from './children.mjs';
import { addresses, machines, port } from './network.mjs';
import { startServer } from './scenarios.mjs';

const talk = fileURLToPath(new URL('talk.mjs', import.meta.url));
const line = `PROXY TCP4 ${addresses.clients} ${addresses.m1} 40000 ${port}\r\n`;

// What is sent, in pieces, and what must come back.
const checks = [
  { title: 'through the balancer, with send-proxy', from: 'clients', to: 'balancer', sent: ['hello\n'], wanted: 'hello\n' },
  { title: 'the line and a message in one piece', sent: [`${line}hello\n`], wanted: 'hello\n' },
  { title: 'a byte at a time', sent: [...`${line}hello\n`], wanted: 'hello\n' },
  { title: 'a balancer that does not say who it is: PROXY UNKNOWN', sent: ['PROXY UNKNOWN\r\nhello\n'], wanted: 'hello\n' },
  { title: 'a second line like it is a message', sent: [`${line}${line}`], wanted: line },
  { title: 'whoever does not begin with PROXY is sent away', sent: ['hello\n'], wanted: '' },
  { title: 'and who sends 107 bytes without an end of line', sent: ['PROXY TCP4 '.padEnd(107, '1')], wanted: '' },
];

/** Prints a line for each check; the tool's exit code is 1 where one has failed. */
export async function checkProxy(scope, server, folder) {
  const fleet = { server, scope, servers: {} };
  const options = ['--expect-proxy', '1'];
  try {
    await startServer(fleet, 'm1', options);
  } catch {
    process.stderr.write('the server has no option --expect-proxy, or does not start with it: it is started without\n');
    options.length = 0;
  }
  for (const machine of machines) if (!fleet.servers[machine]) await startServer(fleet, machine, options);
  await startBalancer(scope, folder, [['default-server check', 'default-server send-proxy check']]);
  for (const { title, from = 'balancer', to = 'm1', sent, wanted } of checks) {
    const client = new Child(scope, from, [process.execPath, talk, addresses[to], String(port), JSON.stringify(sent)]);
    const received = JSON.parse(await client.line(/^"/));
    const isRight = received === wanted;
    console.log(`${isRight ? 'ok' : 'not ok'} - ${title}`);
    if (isRight) continue;
    console.log(`    what came back: ${JSON.stringify(received)}\n    what should:    ${JSON.stringify(wanted)}`);
    process.exitCode = 1;
  }
}
