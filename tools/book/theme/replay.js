// Plays recorded executions: the component gets one or two parsed recordings, and their chapters' names.

import { createApp } from 'vue';
import Replay from 'the-player';

const place = document.querySelector('#replay');

async function load(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.json();
}

async function play() {
  const recordings = await Promise.all(place.dataset.recordings.split(' ').map(load));
  createApp(Replay, { recordings, titles: place.dataset.titles.split(' ') }).mount(place);
  // The address may name a frame, which is now in the player.
  if (location.hash !== '') place.scrollIntoView();
}

play().catch((error) => {
  const note = document.createElement('p');
  note.textContent = `The recording cannot be played: ${error.message}`;
  place.before(note);
});
