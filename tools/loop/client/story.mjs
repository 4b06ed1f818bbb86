// Tells a client's deeds step by step, and after each what both kernels and the server's processes say.

import { makePainter } from '../../observe/colour.mjs';
import { describeEndpoint } from '../../observe/socket-table.mjs';
import { patience } from '../../observe/waits.mjs';
import { wrap, findWidth } from '../dialogue.mjs';
import { describeEnd, describeTasks, findEnds } from './sides.mjs';

const labelWidth = 11;
const mostDiagnostics = 5; // lines of the server's stderr that are told after a step

export class Story {
  #server;
  #paint = makePainter();
  #toldEnd = false;

  constructor(server) {
    this.#server = server;
  }

  say(text = '', style) {
    const lines = wrap(text, findWidth());
    process.stdout.write(`${style ? lines.split('\n').map((line) => this.#paint(style, line)).join('\n') : lines}\n`);
  }

  /** A line of a step: what, and what of it. A long one is set in below its beginning. */
  tell(label, text, style) {
    const room = Math.max(20, findWidth() - labelWidth - 2);
    const [first, ...more] = wrap(text, room).split('\n');
    for (const line of [`  ${label.padEnd(labelWidth)}${first}`, ...more.map((line) => `  ${' '.repeat(labelWidth)}${line}`)]) {
      process.stdout.write(`${style ? this.#paint(style, line) : line}\n`);
    }
  }

  begin() {
    const { name, address, isLocal, pid } = this.#server;
    this.say(`${name} listens on ${describeEndpoint(address)}`, 'bold');
    this.say('to read: bytes that have come and that the program has not read (Recv-Q in ss); to send: bytes that the other '
      + 'side has not acknowledged (Send-Q)', 'faint');
    if (!isLocal) this.say("the server is on another machine: what its kernel says cannot be seen from here", 'faint');
    else if (pid === null) this.say("the server's processes belong to somebody else: as root (sudo ./learn client) you see them, too", 'faint');
  }

  /** Says what the client does now. */
  announce(title) {
    this.say();
    this.say(title, 'bold');
  }

  /** Waits until the server has come to rest, and tells the state of `connection`'s two ends and of the processes. */
  async tellSides(connection) {
    const { seen, ends } = await this.#untilStill(connection);
    this.tell('client', describeEnd(ends.client, connection.isOpen && !connection.hasEnded), 'cyan');
    if (this.#server.isLocal) {
      const owner = ends.server === null ? '' : this.#nameOwner(seen, connection.port);
      this.tell('server', `${describeEnd(ends.server)}${owner}`, 'green');
    }
    this.tellProcesses(seen);
    return ends;
  }

  /** Looks again and again, until two looks see the same. */
  async #untilStill(connection) {
    const look = () => ({ seen: this.#server.look(), ends: findEnds(connection.port, this.#server.address.port) });
    const describe = ({ seen, ends }) => JSON.stringify([describeTasks(seen?.tasks ?? []), ends, this.#server.countDiagnostics()]);
    const end = performance.now() + patience;
    let now = look();
    for (let before = ''; before !== describe(now) && performance.now() < end;) {
      before = describe(now);
      await this.#server.waitForQuiet();
      now = look();
    }
    return now;
  }

  #nameOwner(seen, port) {
    const whose = seen?.sockets.find(({ kind, peer }) => kind === 'connection' && peer.endsWith(`:${port}`))?.whose;
    if (whose === undefined || whose === 'the kernel') return '';
    return whose === 'accept queue' ? '; in the accept queue: no process has accepted it' : `; open in ${whose}`;
  }

  tellProcesses(seen) {
    const end = this.#server.describeEnd();
    if (end === null && seen !== null) this.tell('processes', describeTasks(seen.tasks));
    if (end !== null && !this.#toldEnd) this.tell('processes', `${this.#server.name} ${end}`, 'red');
    this.#toldEnd ||= end !== null;
    const lines = this.#server.takeDiagnostics();
    for (const line of lines.slice(0, mostDiagnostics)) this.tell('its stderr', line);
    if (lines.length > mostDiagnostics) this.tell('', `... and ${lines.length - mostDiagnostics} more lines`);
  }
}

/** A line as it stands in a title or after `received`: in quotes, and not without end. */
export function quote(text, longest = 60) {
  return text.length > longest ? `${JSON.stringify(text.slice(0, longest))}…` : JSON.stringify(text);
}
