// What the recording of each chapter is made of: the session, and how the server is started.

import { demandSession } from '../../observe/record-trace.mjs';
import { withoutNumber } from '../../chapters.mjs';

const twoWorkers = ['--workers', '2'];
const oneWorker = ['--workers', '1'];
// The old version sleeps while the new one starts, for a time of which the kernel has been told: some seconds here, and more on a machine under load.
const patientUpgrade = [...oneWorker, '--upgrade-timeout', '600000'];

// Those that are not named here: two clients, and a server without options. Where a server has as many workers as the machine has processors, an
// option says how many, so that each machine makes the same recording.
const plans = {
  prefork: { options: twoWorkers },
  'thread-pool': { options: twoWorkers },
  'per-core': { options: twoWorkers, accepting: [1, 2] },
  activation: { options: twoWorkers, accepting: [1, 2] },
  successor: { session: 'upgrade', options: oneWorker },
  handover: { session: 'upgrade', options: patientUpgrade },
  overlap: { session: 'upgrade', options: patientUpgrade },
};

/**
 * {session, serverOptions, accepting} for record(), of a chapter (53-per-core). `session`, where it is given, is another one than the recording's
 * own. Throws UsageProblem where the chapter cannot have it.
 */
export function planOf(chapter, session) {
  const { session: own = 'two', options = [], accepting = null } = plans[withoutNumber(chapter)] ?? {};
  demandSession(session ?? own, chapter);
  return { session: session ?? own, serverOptions: options, accepting };
}
