// Reaper: as PID 1 of a container this process inherits every orphan, and has to wait for it when it ends.
import { binding } from '../native/binding';

export interface ReaperHooks {
  /** An ended child, the same until somebody has waited for it; 0: there is none. */
  peek(): number;
  /** Waits for it. */
  reap(pid: number): void;
}

/** libuv waits for its own children within a turn of the loop: what is there after this is an orphan. */
const OURS_MS = 20;

const SYSTEM: ReaperHooks = {
  peek: () => binding.peekEndedChild(),
  reap: (pid) => void binding.reapChild(pid),
};

/** @returns ends it */
export function reapOrphans(hooks = SYSTEM, signals: NodeJS.EventEmitter = process): () => void {
  let seen = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    timer = undefined;
    const ended = hooks.peek();
    if (ended !== 0 && ended === seen) {
      hooks.reap(ended);
      seen = hooks.peek();
    } else seen = ended;
    if (seen !== 0) timer = setTimeout(look, OURS_MS);
  };
  const onSignal = (): void => {
    timer ??= setTimeout(look, OURS_MS);
  };
  signals.on('SIGCHLD', onSignal);
  onSignal(); // those that ended before
  return () => {
    signals.off('SIGCHLD', onSignal);
    clearTimeout(timer);
  };
}
