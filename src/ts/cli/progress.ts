// How far a restart is, on stderr: a line for each state; on a terminal one line that changes.
import type { Progress } from '../handoff/pool-commands';
import { formatMs } from './units';

/** What the states of the protocol mean, where their names do not say it. */
const MEANING: Readonly<Record<string, string>> = {
  starting: 'the new process boots',
  offer: 'the new process has connected',
  fds: 'it gets the sockets',
  warm: 'it has the sockets and gets ready',
  ping: 'it is ready',
  commit: 'both accept',
  probation: 'it serves, the old process stands by',
  final: 'it owns the service',
  draining: 'the old process lets its connections end',
};

/** Of a worker, where it means something else. */
const MEANING_OF_WORKER: Readonly<Record<string, string>> = {
  starting: 'it boots',
  probation: 'it serves, and the old one does too',
  serving: 'it serves for good',
  leaving: 'the old one lets its connections end',
};

export class ProgressLine {
  readonly #out: NodeJS.WriteStream;
  #last = '';
  /** What was shown last. */
  last: Progress | undefined;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(progress: Progress): void {
    const { state, ageMs } = progress;
    const what = describe(progress);
    const text = `${state.padEnd(9)}  ${formatMs(ageMs).padStart(6)}  ${what}`;
    // Some terminals do not say how wide they are.
    if (this.#out.isTTY) this.#out.write(`\r\x1b[K${text.slice(0, (this.#out.columns || 80) - 1)}`);
    else if (what !== this.#last) this.#out.write(`${text}\n`);
    this.#last = what;
    this.last = progress;
  }

  /** Leaves the line as it is; what follows has one of its own. */
  end(): void {
    if (this.#out.isTTY && this.#last !== '') this.#out.write('\n');
  }
}

function describe({ pid, state, worker, done, total }: Progress): string {
  if (worker === undefined) return `process ${pid}: ${MEANING[state] ?? state}`;
  const who = pid === 0 ? `worker ${worker}` : `worker ${worker}, process ${pid}`;
  return `${done} of ${total} done; ${who}: ${MEANING_OF_WORKER[state] ?? state}`;
}
