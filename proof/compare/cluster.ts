/** Owns the run with node:cluster: its primary stays, and replaces its workers when it is told to. */
import * as path from 'node:path';
import { monotonicMs } from '../../demo/clock';
import type { Setting, Started, Subject } from '../../demo/course';
import type { Restart } from '../../demo/outcome';
import { freePort } from './free-port';

const kPrimary = path.join(__dirname, 'cluster-primary.js');
const kStepMs = 30_000;

export class ClusterSubject implements Subject {
  readonly label = 'node:cluster, rolling';
  readonly #setting: Setting;
  #pid = Number.NaN;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async start(): Promise<Started> {
    this.#pid =
      this.#setting.children.spawn(kPrimary, [], { PORT: String(await freePort()) }).pid ?? Number.NaN;
    return await this.#switched(0);
  }

  async restart(index: number): Promise<Restart> {
    const startMs = monotonicMs();
    this.#setting.children.signal(this.#pid, 'SIGUSR2');
    const { generation, pid } = await this.#switched(index + 1);
    const switchedAtMs = monotonicMs();
    const startToReadyMs = switchedAtMs - startMs;
    return { how: this.label, generation, pid, switchedAtMs, startToReadyMs, readyToStoppedMs: null };
  }

  /** Its workers say that they are ready, too. */
  #switched(generation: number): Promise<Started> {
    const { children, signal } = this.#setting;
    return children.events.waitFor(
      `generation ${generation} of the workers`,
      (event) => {
        if (event.event === 'child-exit' && event.pid === this.#pid) throw new Error('the primary exited');
        const isIt = event.event === 'ready' && event.pid === this.#pid && event.generation === generation;
        return isIt ? event : undefined;
      },
      { since: 0, timeoutMs: kStepMs, signal },
    );
  }
}
