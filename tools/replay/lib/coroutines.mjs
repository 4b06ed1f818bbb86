// Which coroutines there are, and where each of them is suspended, by what the tracer tells.
//
// A child that was forked has a copy of its parent's, in which nothing moves: they are told of where they run alone.

export class Coroutines {
  #byFrame = new Map(); // process and address of the frame to {id, process, function, state, place, awaiter}
  #count = 0;

  /** Takes in an event `resume`, `suspend` or `destroy`. `findPlace` makes a place of the source one of the recording, or null. */
  take({ kind, process: process_, frame, function: name, awaiter, place }, findPlace) {
    const key = `${process_} ${frame}`;
    if (kind === 'destroy') {
      this.#byFrame.delete(key);
      return;
    }
    if (!this.#byFrame.has(key)) {
      this.#count += 1;
      this.#byFrame.set(key, { id: this.#count, process: process_, function: name ?? place.function });
    }
    const coroutine = this.#byFrame.get(key);
    if (kind === 'resume') Object.assign(coroutine, { state: 'running', place: null, awaiter: null });
    else Object.assign(coroutine, { state: 'suspended', place: findPlace(place), awaiter: awaiter.replace(/::await_suspend$/, '') });
  }

  /** The process has ended, or another program has taken its place. */
  forget(process_) {
    for (const [key, coroutine] of this.#byFrame) if (coroutine.process === process_) this.#byFrame.delete(key);
  }

  /** {id, process, function, state, place, awaiter} of each, in the order in which they have begun. */
  list() {
    return [...this.#byFrame.values()].map((coroutine) => ({ ...coroutine }));
  }
}
