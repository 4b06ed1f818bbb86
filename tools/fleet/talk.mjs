#!/usr/bin/env node
// Sends what it is told to a server, piece by piece, closes the sending side, and prints all that has come back.
//
//   talk.mjs HOST PORT '["PIECE", ...]'

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [host, port, pieces] = process.argv.slice(2);
const pause = 2; // ms: so that the pieces are read one by one. Nothing tells when a server has read.
let received = '';

const socket = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
socket.setTimeout(5000, finish);
socket.setEncoding('latin1').on('data', (text) => { received += text; });
socket.on('end', finish).on('error', finish); // A server may send a client away with a reset.
for (const piece of JSON.parse(pieces)) {
  socket.write(piece, 'latin1');
  await sleep(pause);
}
socket.end();

function finish() {
  process.stdout.write(`${JSON.stringify(received)}\n`, () => process.exit());
}
