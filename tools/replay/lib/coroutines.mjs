// Which coroutines there are, and where each of them is suspended, by what the tracer tells.

export class Coroutines {
  #byFrame = new Map(); // address of the frame to {id, function, state, place, awaiter}
  #count = 0;

  /** Takes in an event `resume`, `suspend` or `destroy`. `findPlace` makes a place of the source one of the recording, or null. */
  take({ kind, frame, function: name, awaiter, place }, findPlace) {
    if (kind === 'destroy') {
      this.#byFrame.delete(frame);
      return;
    }
    if (!this.#byFrame.has(frame)) {
      this.#count += 1;
      this.#byFrame.set(frame, { id: this.#count, function: name ?? place.function });
    }
    const coroutine = this.#byFrame.get(frame);
    if (kind === 'resume') Object.assign(coroutine, { state: 'running', place: null, awaiter: null });
    else Object.assign(coroutine, { state: 'suspended', place: findPlace(place), awaiter: awaiter.replace(/::await_suspend$/, '') });
  }

  /** {id, function, state, place, awaiter} of each, in the order in which they have begun. */
  list() {
    return [...this.#byFrame.values()].map((coroutine) => ({ ...coroutine }));
  }
}
