// How far a restart is, on stderr: a line for each state; on a terminal one line that changes.
import type { Busy } from '../handoff/payloads';
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

export class ProgressLine {
  readonly #out: NodeJS.WriteStream;
  #state = '';

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show({ pid, ageMs, state }: Busy): void {
    const text = `${state.padEnd(9)}  ${formatMs(ageMs).padStart(6)}  process ${pid}: ${MEANING[state] ?? state}`;
    // Some terminals do not say how wide they are.
    if (this.#out.isTTY) this.#out.write(`\r\x1b[K${text.slice(0, (this.#out.columns || 80) - 1)}`);
    else if (state !== this.#state) this.#out.write(`${text}\n`);
    this.#state = state;
  }

  /** Leaves the line as it is; what follows has one of its own. */
  end(): void {
    if (this.#out.isTTY && this.#state !== '') this.#out.write('\n');
  }
}
