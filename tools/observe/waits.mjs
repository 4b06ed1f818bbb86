// Every wait ends: with the event, or with a Problem that names what did not come.

import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from './problem.mjs';

/**
 * How long anything is waited for, in ms: as many seconds as the environment variable PATIENCE says, or 15. Only what
 * is going to fail ever takes this long.
 */
export const patience = Number(process.env.PATIENCE || 15) * 1000;

/** What `promise` gives; throws Problem when it has given nothing after `limit` ms. */
export async function waitFor(what, promise, limit = patience) {
  const timer = new AbortController();
  const tooLate = sleep(limit, undefined, { signal: timer.signal }).then(() => {
    throw new Problem(`waited ${limit / 1000} s for ${what}, and it did not come`);
  });
  tooLate.catch(() => {}); // The timer is stopped when the promise was in time.
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    timer.abort();
  }
}

/**
 * Looks every few ms until `condition()` holds, for facts that no event announces; returns whether it
 * did before `limit` ms had passed.
 */
export async function becomesTrue(condition, limit = patience, interval = 4) {
  const end = performance.now() + limit;
  while (!(await condition())) {
    if (performance.now() >= end) return false;
    await sleep(interval);
  }
  return true;
}
