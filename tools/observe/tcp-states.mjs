// Follows one TCP connection by its packets: the states of both sides (RFC 9293, 3.3.2).
//
// A packet changes its sender's state when it is sent and its receiver's when it arrives. On the
// loopback device nothing lies between the two and nothing is lost, so each packet counts for both.

const other = { client: 'server', server: 'client' };

export class TcpConnection {
  #serverPort;
  #clientPort = null;
  #isReset = false;
  #sides = { client: newSide('CLOSED'), server: newSide('LISTEN') };

  constructor(serverPort) {
    this.#serverPort = serverPort;
  }

  /** {client, server}; the client's is null before the first packet. */
  get ports() {
    return { client: this.#clientPort, server: this.#serverPort };
  }

  get states() {
    return { client: this.#sides.client.state, server: this.#sides.server.state };
  }

  /**
   * Takes in a packet (see pcap.mjs) and describes it: {from, to, flags, seq, ack, length, payload, kind,
   * states}. seq and ack count from 0 at the side's SYN; ack is null without the flag. `kind` is
   * 'handshake', 'data', 'ack' (nothing but an acknowledgement), 'close' (FIN, and the ACK that ends the
   * connection), 'reset' or 'again' (a repetition).
   */
  observe(packet) {
    const from = packet.sourcePort === this.#serverPort ? 'server' : 'client';
    this.#clientPort ??= from === 'client' ? packet.sourcePort : packet.destinationPort;
    const [sender, receiver] = [this.#sides[from], this.#sides[other[from]]];
    const { flags, payload } = packet;
    if (flags.has('syn')) sender.first ??= packet.seq;
    const seq = distance(sender.first, packet.seq);
    const ack = flags.has('ack') ? distance(receiver.first, packet.ack) : null;
    const end = seq + payload.length + (flags.has('syn') ? 1 : 0) + (flags.has('fin') ? 1 : 0);
    const isAgain = end > seq && end <= sender.next;
    const isFirstAck = receiver.state === 'SYN_RECEIVED' && !flags.has('syn');
    const wasOver = isOver(receiver.state);

    sender.next = Math.max(sender.next, end);
    if (flags.has('fin')) sender.finEnd = end;
    if (flags.has('rst')) this.#reset();
    else this.#advance(sender, receiver, flags, ack);

    const endsIt = !wasOver && isOver(receiver.state) && !flags.has('fin');
    const kind = nameKind({ flags, payload, isAgain, isFirstAck, endsIt });
    return { from, to: other[from], flags, seq, ack, length: payload.length, payload, kind, states: this.states };
  }

  /**
   * Whether both sides have sent `bytes` of data, and a FIN if `ended`, and have had all of it acknowledged;
   * or, with `reset`, whether one side has reset the connection. After a reset nothing more will come.
   */
  hasCome({ bytes = 0, ended = false, reset = false }) {
    if (reset || this.#isReset) return this.#isReset;
    return Object.values(this.#sides).every(({ next, acknowledged, finEnd }) =>
      next === 1 + bytes + (ended ? 1 : 0) && acknowledged === next && (finEnd !== null) === ended);
  }

  #reset() {
    this.#isReset = true;
    for (const side of Object.values(this.#sides)) side.state = 'CLOSED';
  }

  #advance(sender, receiver, flags, ack) {
    sender.state = (flags.has('syn') && onSentSyn[sender.state]) || sender.state;
    sender.state = (flags.has('fin') && onSentFin[sender.state]) || sender.state;
    if (flags.has('syn')) receiver.state = onReceivedSyn[receiver.state] ?? receiver.state;
    if (ack !== null) this.#acknowledge(receiver, ack);
    if (flags.has('fin')) receiver.state = onReceivedFin[receiver.state] ?? receiver.state;
  }

  #acknowledge(side, ack) {
    side.acknowledged = Math.max(side.acknowledged, ack);
    if (side.state === 'SYN_RECEIVED') side.state = 'ESTABLISHED';
    if (side.finEnd !== null && ack >= side.finEnd) side.state = onAcknowledgedFin[side.state] ?? side.state;
  }
}

// `first` is the sequence number of the SYN, `next` the one that comes after all that was sent, and
// `finEnd` the one after the FIN, both counted from `first`.
const newSide = (state) => ({ state, first: null, next: 0, acknowledged: 0, finEnd: null });

const onSentSyn = { CLOSED: 'SYN_SENT' };
const onReceivedSyn = { LISTEN: 'SYN_RECEIVED', SYN_SENT: 'ESTABLISHED' };
const onSentFin = { ESTABLISHED: 'FIN_WAIT_1', SYN_RECEIVED: 'FIN_WAIT_1', CLOSE_WAIT: 'LAST_ACK' };
const onReceivedFin = { ESTABLISHED: 'CLOSE_WAIT', FIN_WAIT_1: 'CLOSING', FIN_WAIT_2: 'TIME_WAIT' };
const onAcknowledgedFin = { FIN_WAIT_1: 'FIN_WAIT_2', CLOSING: 'TIME_WAIT', LAST_ACK: 'CLOSED' };

const isOver = (state) => state === 'CLOSED' || state === 'TIME_WAIT';

// Sequence numbers have 32 bits and wrap around.
const distance = (from, to) => (from === null ? 0 : (to - from) >>> 0);

function nameKind({ flags, payload, isAgain, isFirstAck, endsIt }) {
  if (flags.has('rst')) return 'reset';
  if (isAgain) return 'again';
  if (flags.has('syn') || (isFirstAck && payload.length === 0 && !flags.has('fin'))) return 'handshake';
  if (flags.has('fin') || endsIt) return 'close';
  return payload.length > 0 ? 'data' : 'ack';
}
