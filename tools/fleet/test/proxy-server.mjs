#!/usr/bin/env node
// An echo server that takes the PROXY line off: what the exercise of docs/fleet.md asks for, as far as its check can see.

import { createServer } from 'node:net';
import { parseArgs } from 'node:util';

const longestLine = 107; // with its CR LF
const { values } = parseArgs({ options: { host: { type: 'string' }, port: { type: 'string' }, 'expect-proxy': { type: 'string' } } });

const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  let head = Buffer.alloc(0);
  client.on('error', () => client.destroy());
  client.on('end', () => client.end());
  client.on('data', function readLine(bytes) {
    head = Buffer.concat([head, bytes]);
    const end = head.subarray(0, longestLine).indexOf('\r\n');
    const isLine = head.subarray(0, 6).equals(Buffer.from('PROXY ').subarray(0, head.length));
    if (!isLine || (end === -1 && head.length >= longestLine)) return client.destroy();
    if (end === -1) return;
    client.off('data', readLine).on('data', (message) => client.write(message));
    if (head.length > end + 2) client.write(head.subarray(end + 2));
  });
});
server.listen(Number(values.port), values.host, () => process.stdout.write(`listening on ${server.address().address}:${server.address().port}\n`));
