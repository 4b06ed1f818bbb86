// Plays a recorded execution: the component gets the parsed recording as its only property, whatever it calls it.

import { createApp } from 'vue';
import Replay from 'the-player';

const place = document.querySelector('#replay');

async function play() {
  const response = await fetch(place.dataset.recording);
  if (!response.ok) throw new Error(`${place.dataset.recording}: ${response.status}`);
  const [property = 'recording'] = Object.keys(Replay.props ?? {});
  createApp(Replay, { [property]: await response.json() }).mount(place);
}

play().catch((error) => {
  place.textContent = `The recording cannot be played: ${error.message}`;
});
