// Waits until a server has nothing left to do.

import { listGroup, listThreads, readStat, readStatus } from './proc.mjs';
import { becomesTrue } from './waits.mjs';

const interval = 4; // ms between two looks
const busyLimit = 1000; // ms after which a server that never sleeps is taken to spin
const spinningPause = 100; // ms that a server which is known to spin is given instead

/** Notices when all processes and threads of a process group are asleep and stay so. */
export class QuietWatcher {
  #group;
  #spins = false;

  constructor(group) {
    this.#group = group;
  }

  /**
   * Waits until the group has been asleep for `stretch` ms. Gives up after a second with a server that
   * spins; returns whether it was quiet.
   */
  async wait(stretch = 40) {
    let before = null;
    let since = 0;
    const isQuiet = () => {
      const picture = describeSleepers(this.#group);
      const now = performance.now();
      if (picture === null || picture !== before) since = now;
      before = picture;
      return picture !== null && now - since >= stretch;
    };
    const quiet = await becomesTrue(isQuiet, (this.#spins ? spinningPause : busyLimit) + stretch, interval);
    this.#spins = !quiet;
    return quiet;
  }
}

/**
 * All threads with the number of times that each has given up the processor, as one text; null when
 * one of them is not asleep. Two equal texts: nobody has woken up in between, however briefly.
 */
function describeSleepers(group) {
  const lines = [];
  for (const { pid } of listGroup(group)) {
    for (const thread of listThreads(pid)) {
      const state = readStat(pid, thread)?.state;
      if (state !== 'S' && state !== 'Z') return null;
      lines.push(`${thread} ${readStatus(pid, thread, 'voluntary_ctxt_switches')}`);
    }
  }
  return lines.join('\n');
}
