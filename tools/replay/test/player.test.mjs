// What a reader sees of a frame: in the terminal, as HTML, as a picture, and as a question.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { drawBoxes } from '../lib/draw-boxes.mjs';
import { comparePictures, drawFrame, listPictures, savePicture } from '../lib/draw.mjs';
import { printPage } from '../lib/page.mjs';
import { putBeside } from '../lib/print.mjs';
import { listRecordings, loadRecording } from '../lib/recording.mjs';
import { describeFrame, describeStart } from '../player/describe.mjs';
import { askAhead } from '../player/predict.mjs';
import { renderFrame, renderFrames } from '../player/static.mjs';
import { alignFrames, findMoment, nameStep } from '../player/timeline.mjs';
import { root } from './support.mjs';

const epoll = loadRecording(root, 'epoll');
const at = (recording, name, result) => recording.frames.findIndex(({ event }) => event.call?.name === name && event.kind === 'call' && event.call.result === result);
const rowOf = (described, section, key) => described.sections.find(({ name }) => name === section)?.rows.find((row) => row.key === key);

test('what has changed since the frame before is marked, also what is gone', () => {
  const accepted = describeFrame(epoll, at(epoll, 'accept4', '5'));
  assert.equal(rowOf(accepted, 'descriptors', 'server 5').mark, 'new');
  assert.equal(rowOf(accepted, 'descriptors', 'server 3').mark, '');
  assert.equal(rowOf(accepted, 'sockets', 'listener').mark, 'changed');
  const closed = describeFrame(epoll, at(epoll, 'close', '0'));
  assert.equal(rowOf(closed, 'descriptors', 'server 6').mark, 'gone');
  assert.equal(rowOf(closed, 'interest', 'server epoll 4 6').mark, 'gone');
});

test('derived columns are told from seen ones', () => {
  const { sections } = describeFrame(epoll, 20);
  const columns = Object.fromEntries(sections.flatMap(({ columns: list }) => list.map(({ title, derived }) => [title, derived])));
  assert.equal(columns['ready now'], true);
  assert.equal(columns['to read'], false);
});

test('the line where the actor stands is one of the code that is shown, and bears its name', () => {
  for (const name of listRecordings(root)) {
    const recording = loadRecording(root, name);
    recording.frames.forEach((frame, number) => {
      const { code } = describeFrame(recording, number);
      if (code === null) return assert.ok(frame.actors.every(({ stack }) => stack.length === 0), `${name}, frame ${number}`);
      assert.ok(code.lines.find((line) => line.number === code.line).roles.includes(code.role), `${name}, frame ${number}`);
    });
  }
});

test('a coroutine stands at its co_await while it is suspended, and at its call while it runs', () => {
  const resume = loadRecording(root, 'resume');
  const read = describeFrame(resume, at(resume, 'read', '6'));
  assert.match(rowOf(read, 'coroutines', 'coroutine 3').cells.join(' '), /running server\.cpp:\d+ .*receive\(watched\.fd\(\), buffer\)/);
  assert.match(rowOf(read, 'coroutines', 'coroutine 2').cells.join(' '), /suspended server\.cpp:\d+ WatchedFd::Awaiter co_await watched\.event\(\);/);
});

test('the player needs nothing of Node, and no library but Vue', () => {
  const folder = join(root, 'tools/replay/player');
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, from] of text.matchAll(/^import .*?'([^']+)';$/gm)) assert.match(from, /^(vue|\.\/[\w-]+\.(mjs|css))$/, `${file} imports ${from}`);
    assert.doesNotMatch(text, /https?:\/\//, file);
  }
});

test('no port of a recording reaches a reader', () => {
  const ports = [...JSON.stringify(epoll).matchAll(/htons\(([1-9]\d+)\)/g)].map(([, port]) => port);
  assert.ok(ports.length > 0);
  const seen = epoll.frames.map((_, number) => `${renderFrame(epoll, number)}${drawFrame(epoll, number)}`).join('');
  for (const port of ports) assert.ok(!seen.includes(port), port);
});

test('two recordings go through each step together', () => {
  const pair = [loadRecording(root, 'poll'), epoll];
  const moments = alignFrames(pair);
  for (const [a, b] of moments) assert.equal(pair[0].frames[a].step, pair[1].frames[b].step);
  for (const side of [0, 1]) {
    const shown = new Set(moments.map((moment) => moment[side]));
    assert.equal(shown.size, pair[side].frames.length, 'each frame is shown');
    moments.slice(1).forEach((moment, number) => assert.ok(moment[side] - moments[number][side] >= 0 && moment[side] - moments[number][side] <= 1));
  }
  assert.deepEqual(moments.at(-1), pair.map(({ frames }) => frames.length - 1));
  assert.equal(nameStep(pair, moments.at(-1)), 'the first client closes');
  const iterative = loadRecording(root, 'robust');
  const waits = alignFrames([iterative, epoll]).map((moment) => nameStep([iterative, epoll], moment));
  assert.ok(waits.includes('the first client closes, and the second one receives its echo / the second client closes its sending side'));
  assert.deepEqual(alignFrames([epoll]), epoll.frames.map((_, number) => [number]));
  assert.deepEqual(moments[findMoment(moments, 1, 20)][1], 20);
});

test('a question has the right answer once, no answer twice, and is the same when it is asked again', () => {
  for (const name of listRecordings(root)) {
    const recording = loadRecording(root, name);
    const places = new Set();
    recording.frames.forEach((_, number) => {
      const asked = askAhead(recording, number);
      if (asked === null) return;
      assert.equal(asked.options.filter(({ isRight }) => isRight).length, 1);
      assert.equal(new Set(asked.options.map(({ text }) => text)).size, asked.options.length);
      assert.deepEqual(askAhead(recording, number), asked);
      places.add(asked.options.findIndex(({ isRight }) => isRight));
    });
    assert.ok(places.size > 2, `${name}: the right answer is not always in the same place`);
  }
});

test('a client is not predicted, and neither is what comes after the end', () => {
  const before = epoll.frames.findIndex(({ event }) => event.actor === 'client') - 1;
  assert.equal(askAhead(epoll, before), null);
  assert.equal(askAhead(epoll, epoll.frames.length - 1), null);
});

test('without a script all frames are there, each with an address', () => {
  const html = renderFrames([epoll], ['13-epoll']);
  epoll.frames.forEach((_, number) => assert.ok(html.includes(`<li id="frame-${number}">`)));
  assert.doesNotMatch(html, /<script/);
  const folded = renderFrames([epoll], ['13-epoll'], { folded: true });
  assert.match(folded, /<details><summary/);
  // In frame 25 six bytes are sent: nothing is watched or opened anew.
  const [, frame] = /<li id="frame-25">(.*?)<\/li>/s.exec(folded);
  assert.match(frame, /as before: [^<]*descriptors/);
  assert.doesNotMatch(frame, /<caption>descriptors/);
  assert.match(frame, /<caption>packets since the frame before/);
  assert.match(printPage([loadRecording(root, 'poll'), epoll], ['11-poll', '13-epoll']), /<p class="replay-title">11-poll<\/p>/);
});

test('where a list would be too long, each frame has what has changed', () => {
  const overlap = loadRecording(root, 'overlap');
  const terse = renderFrames([overlap], ['57-overlap'], { folded: true, terse: true });
  const bodyOf = (number) => new RegExp(`<li id="frame-${number}">(.*?)</li>`, 's').exec(terse)[1];
  const asked = overlap.frames.findIndex(({ event }) => event.call?.name === 'socketpair');
  assert.match(bodyOf(asked), /<caption>descriptors<\/caption><tbody>(?:(?!<\/tbody>).)*server<\/td><td>10<\/td><td>unix socket<\/td>/);
  assert.doesNotMatch(bodyOf(asked), /signalfd/);
  // The connections' table comes into being with the listener, and has the names of its columns there.
  const listening = overlap.frames.findIndex(({ sockets }) => sockets.length > 0);
  assert.match(bodyOf(listening), /<caption>connections<\/caption><thead>/);
  overlap.frames.forEach((_, number) => assert.ok(terse.includes(`<li id="frame-${number}">`)));
  assert.ok(terse.length < renderFrames([overlap], ['57-overlap'], { folded: true }).length / 2);
});

test('how the server was started stands before the frames, once', () => {
  const two = ['per-core', 'activation'].map((name) => loadRecording(root, name));
  const html = renderFrames(two, ['53-per-core', '54-activation']);
  assert.equal(html.match(/<p class="replay-start">/g).length, 2);
  assert.match(html, /^<p class="replay-start">53-per-core: The server was started with --workers 2\. By a client's port .*?: one outcome of several\.<\/p>/);
  assert.match(renderFrames(two.slice(1), ['54-activation']), /^<p class="replay-start">The server was/);
  assert.deepEqual(describeStart(epoll), []);
});

test('of two processes each ring and each coroutine is that of one', () => {
  const overlap = loadRecording(root, 'overlap');
  const number = overlap.frames.findIndex(({ rings }) => rings.length === 2 && rings.every(({ inFlight }) => inFlight.length > 0));
  const described = describeFrame(overlap, number);
  const namesOf = (section) => described.sections.find(({ name }) => name === section).rows.map(({ cells }) => cells[0]);
  assert.deepEqual([...new Set(namesOf('rings').map((name) => name.replace(/\d+/, 'N')))], ['ring N', 'ring N, child 1']);
  assert.ok(namesOf('coroutines').some((name) => /^coroutine \d+$/.test(name)) && namesOf('coroutines').some((name) => /^coroutine \d+, child 1$/.test(name)));
});

test('what the operator does is not predicted, and is no client\'s', () => {
  const overlap = loadRecording(root, 'overlap');
  const number = overlap.frames.findIndex(({ event }) => event.kind === 'operator');
  assert.equal(askAhead(overlap, number - 1), null);
  assert.equal(describeFrame(overlap, number).event.words, 'the operator acts');
  assert.ok(overlap.frames.every((_, other) => askAhead(overlap, other)?.options.every(({ text }) => !text.startsWith('operator:')) ?? true));
});

test('what stands in code or in an argument is text, and no markup', () => {
  const recording = structuredClone(epoll);
  recording.frames[20].event.text = 'read(6, "<b>&", 3) = 3';
  recording.frames[20].actors[0].role = '<i>';
  for (const text of [renderFrame(recording, 20), drawFrame(recording, 20)]) {
    assert.ok(text.includes('&lt;b&gt;&amp;'));
    assert.ok(text.includes('&lt;i&gt;'));
    assert.doesNotMatch(text, /<b>|<i>/);
  }
  assert.match(renderFrame(epoll, 20), /epoll_event event\{\};/);
});

test('a picture is the same for the same recording, and its text is text', () => {
  const picture = drawFrame(epoll, 23);
  assert.equal(drawFrame(structuredClone(epoll), 23), picture);
  assert.match(picture, /^<svg [^>]*fill="currentColor"/);
  assert.doesNotMatch(picture, /<path|<image|fill="#/i);
  assert.match(picture, /prefers-color-scheme:dark/);
  assert.match(picture, /epoll_wait\(4, \[\{events=EPOLLIN/);
});

test('a picture of boxes has each process once, its threads, what it has open, and a line to each client', () => {
  const threads = loadRecording(root, 'threads');
  const at = threads.frames.findIndex(({ actors }) => actors.length === 3 && actors.every(({ state }) => state === 'asleep'));
  const picture = drawBoxes(threads, at);
  assert.equal(drawBoxes(structuredClone(threads), at), picture);
  for (const words of ['server: one process', 'first thread: asleep in accept4(3, …)', 'thread 1: asleep in read(4, …)', 'thread 2: asleep in read(5, …)', '3: listener', 'client 2']) {
    assert.equal(picture.split(`>${words}</text>`).length - 1, 1, words);
  }
  assert.equal(picture.split('<rect').length - 1, 3); // a process and two clients
  const fork = loadRecording(root, 'fork');
  const both = fork.frames.findIndex(({ actors }) => actors.length === 2);
  // Right after fork both have the connection: two lines go to one client.
  assert.equal(drawBoxes(fork, both).split(/<line [^>]*stroke="currentColor"\/>/).length - 1, 2);
});

test('a picture that is kept is that of its frame, or check says so', () => {
  const place = mkdtempSync(join(tmpdir(), 'replay-test-'));
  mkdirSync(join(place, 'docs/replay'), { recursive: true });
  try {
    savePicture(place, epoll, { at: 23, isBoxes: false });
    savePicture(place, epoll, { at: 23, isBoxes: true });
    assert.deepEqual(listPictures(place, 'epoll'), [{ at: 23, isBoxes: false }, { at: 23, isBoxes: true }]);
    assert.deepEqual(comparePictures(place, epoll), []);
    const other = structuredClone(epoll);
    other.frames[23].event.text = 'pause()';
    assert.deepEqual(comparePictures(place, other), ['docs/replay/epoll-23.svg is not what the frame shows']);
    other.frames[23].actors[0].in = 'pause()';
    assert.deepEqual(comparePictures(place, other).at(-1), 'docs/replay/epoll-23-boxes.svg is not what the frame shows');
    assert.match(comparePictures(place, { ...epoll, frames: epoll.frames.slice(0, 20) }).join(), /is of a frame that is not there: the last is 19/);
    assert.deepEqual(listPictures(place, 'poll'), []);
  } finally {
    rmSync(place, { recursive: true });
  }
});

test('two columns stay two, whatever the colours', () => {
  assert.deepEqual(putBeside(['\x1b[1mab\x1b[m', 'c'], ['x'], 4), ['\x1b[1mab\x1b[m    │  x', 'c     │  ']);
});

test('beside another chapter an address is still that of a frame of the later one', () => {
  const poll = loadRecording(root, 'poll');
  const html = renderFrames([poll, epoll], ['11-poll', '13-epoll']);
  epoll.frames.forEach((_, number) => assert.equal(html.split(`<li id="frame-${number}">`).length, 2));
  const [, item] = html.split('<li id="frame-22">');
  assert.match(item.split('</li>')[0], /the second client sends/);
  assert.match(item.split('<p class="replay-title">13-epoll</p>')[1].split('</li>')[0], /the second client sends/);
});
