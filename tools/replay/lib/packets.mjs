// The packets of a recording: those that have passed up to a moment, and no later ones.

import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { startTcpdump } from '../../observe/record-packets.mjs';
import { TcpConnection } from '../../observe/tcp-states.mjs';
import { waitFor } from '../../observe/waits.mjs';

/**
 * Captures what passes between a server and its clients. A second connection, of this program with itself, marks a moment: when
 * its packet has come through the capture, all earlier ones have.
 */
export class PacketRecorder {
  #serverPort;
  #marker; // {socket, port, sent, seen, wake}
  #connections = new Map(); // client's port to its TcpConnection
  #packets = [];

  /** Throws Unavailable where tcpdump is missing or may not capture. */
  static async start(scope, serverPort) {
    const recorder = new PacketRecorder();
    recorder.#serverPort = serverPort;
    const listener = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
    scope.defer(() => listener.close());
    await once(listener, 'listening');
    const { port } = listener.address();
    recorder.#marker = { port, sent: 0, seen: 0, wake: () => {} };
    await startTcpdump(scope, [serverPort, port], (packet) => recorder.#take(packet));
    const socket = connect(port, '127.0.0.1').setNoDelay().on('error', () => {});
    scope.defer(() => socket.destroy());
    await once(socket, 'connect');
    recorder.#marker.socket = socket;
    return recorder;
  }

  #take(packet) {
    const { port } = this.#marker;
    if (packet.destinationPort === port) {
      this.#marker.seen += packet.payload.length;
      this.#marker.wake();
      return;
    }
    if (packet.sourcePort === port) return;
    const clientPort = packet.sourcePort === this.#serverPort ? packet.destinationPort : packet.sourcePort;
    if (!this.#connections.has(clientPort)) this.#connections.set(clientPort, new TcpConnection(this.#serverPort));
    const { from, flags, seq, ack, length, kind, states } = this.#connections.get(clientPort).observe(packet);
    this.#packets.push({ clientPort, from, flags: [...flags], seq, ack, length, kind, states });
  }

  /** The packets since the last call. */
  async take() {
    const marker = this.#marker;
    marker.sent += 1;
    marker.socket.write('.');
    await waitFor("tcpdump's own packet", new Promise((resolve) => {
      marker.wake = () => marker.seen >= marker.sent && resolve();
      marker.wake();
    }));
    return this.#packets.splice(0);
  }
}
