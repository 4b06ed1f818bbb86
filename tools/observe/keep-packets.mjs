// Keeps the packets of a session in a file for Wireshark, with the session's steps as comments.

import { existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ethernet } from './pcap.mjs';
import { writePcapng } from './pcapng.mjs';
import { Problem, UsageProblem } from './problem.mjs';
import { describeSystemError } from './program.mjs';

/**
 * The path of a file that --pcap names, seen from where the caller stands, or '-' for stdout. Throws a Problem where it
 * cannot be written: better before the session than after.
 */
export function demandPlace(name) {
  if (name === '') throw new UsageProblem('--pcap wants the name of a file, or - for stdout');
  if (name === '-') {
    if (process.stdout.isTTY) throw new UsageProblem('--pcap - writes bytes that are not for a terminal: send them to a program (| tshark -r -) or name a file');
    return name;
  }
  const path = resolve(process.env.LEARN_FROM ?? '.', name);
  if (existsSync(path)) {
    throw new Problem(statSync(path).isDirectory() ? `${path} is a folder: name a file in it` : `${path} exists, and is not written over: choose another name, or remove it first`);
  }
  if (!existsSync(dirname(path))) throw new Problem(`there is no folder ${dirname(path)}`);
  return path;
}

/** Writes the packets of all steps to `place`, and says where they are. */
export function keepPackets(place, steps, title) {
  const file = writePcapng(commentPackets(steps), { linkType: ethernet, application: 'from accept() to co_await: ./learn capture', interfaceName: 'lo', comment: title });
  if (place === '-') {
    process.stdout.write(file);
    return;
  }
  try {
    writeFileSync(place, file, { flag: 'wx' });
  } catch (error) {
    throw new Problem(`the packets could not be kept: ${describeSystemError(error)}`);
  }
  process.stdout.write(`\nthe packets are in ${place}: wireshark ${quoteWord(place)}, or tshark -r ${quoteWord(place)}\n`);
}

const quoteWord = (word) => (/^[\w./+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/**
 * The frames of all steps in their order, each as {bytes, time, length, comment}. A step's title is the comment of its
 * first packet. That of a step without packets stands with the next packet, or at the end with the last one.
 */
export function commentPackets(steps) {
  const frames = [];
  let before = []; // titles of steps that have had no packet
  for (const { title, packets } of steps) {
    if (packets.length === 0) before.push(title);
    packets.forEach(({ frame }, index) => {
      const comment = index > 0 ? undefined : [title, ...before.map((other) => `before that, without a packet: ${other}`)].join('; ');
      frames.push({ ...frame, comment });
    });
    if (packets.length > 0) before = [];
  }
  const last = frames.at(-1);
  if (last !== undefined && before.length > 0) {
    const words = before.map((other) => `after this, without a packet: ${other}`);
    last.comment = [...(last.comment ? [last.comment] : []), ...words].join('; ');
  }
  return frames;
}
