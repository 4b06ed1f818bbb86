// A recording as it is stored names in a frame only what has changed; as it is used, each frame has everything.

const lists = ['actors', 'sockets', 'interest', 'rings', 'coroutines'];

/** The recording with all fields in all frames: what a frame does not name is as in the frame before. One that is whole is returned as it is. */
export function expand(recording) {
  let before = {};
  if (recording.frames.every((frame) => lists.every((name) => frame[name] !== undefined))) return recording;
  return {
    ...recording,
    frames: recording.frames.map((frame) => {
      before = { ...before, ...frame, packets: frame.packets ?? [] };
      return before;
    }),
  };
}

/** The frames as they are stored. */
export function compact(frames) {
  let before = {};
  return frames.map((frame) => {
    const named = Object.fromEntries(Object.entries(frame).filter(([name, value]) => (lists.includes(name)
      ? JSON.stringify(value) !== JSON.stringify(before[name])
      : name !== 'packets' || value.length > 0)));
    before = frame;
    return named;
  });
}
