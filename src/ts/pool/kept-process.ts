// keptProcess(): a worker that another primary has started: not a child of this process.
import { hasCode } from '../base/errors';
import { exists } from '../handoff/life';
import type { ProcessSeam } from '../handoff/process';
import type { Running, WorkerEnd } from './start-worker';

/** From one look at it to the next. */
const LOOK_MS = 100;

export function keptProcess(pid: number, seam: ProcessSeam): Running {
  const lifeOf = seam.remember(pid);
  const isGone = (): boolean => {
    const life = lifeOf();
    return life === 'unknown' ? !exists(pid) : life === 'gone';
  };
  let stopLooking = (): void => {};
  const ended = new Promise<WorkerEnd>((resolve) => {
    const look = (): void => {
      if (isGone()) resolve({ code: null, signal: null });
      else stopLooking = seam.setTimer(LOOK_MS, look, { hold: true });
    };
    look();
  });
  return {
    pid,
    threadId: undefined,
    ended,
    kill(signal) {
      if (isGone()) return;
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (!hasCode(error, 'ESRCH', 'EPERM')) throw error;
      }
    },
    leave: () => stopLooking(),
    output: {},
  };
}
