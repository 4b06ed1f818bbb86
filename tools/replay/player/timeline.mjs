// Two recordings of the same session, put side by side.

/**
 * The moments of one recording or of two: [[frame of the first, frame of the second]...], numbers of frames. Both go through a step of the clients
 * together; the one that has less to do in it waits at its last frame.
 */
export function alignFrames(recordings) {
  if (recordings.length === 1) return recordings[0].frames.map((_, at) => [at]);
  const moments = [];
  const last = recordings.map(() => 0);
  const steps = Math.max(...recordings.map(({ steps: list }) => list.length));
  for (let step = 0; step < steps; step += 1) {
    const lists = recordings.map(({ frames }) => frames.flatMap((frame, at) => (frame.step === step ? [at] : [])));
    for (let turn = 0; turn < Math.max(...lists.map(({ length }) => length)); turn += 1) {
      lists.forEach((list, side) => { if (list.length > 0) last[side] = list[Math.min(turn, list.length - 1)]; });
      moments.push([...last]);
    }
  }
  return moments;
}

/** The step of the clients at a moment, in words; both, where the same step has ended otherwise in the other chapter. */
export const nameStep = (recordings, moment) => [...new Set(recordings.map(({ steps, frames }, side) => steps[frames[moment[side]].step]))].join(' / ');

/** The moment in which the frame `at` of the recording `side` is first shown. */
export const findMoment = (moments, side, at) => Math.max(0, moments.findIndex((moment) => moment[side] >= at));
