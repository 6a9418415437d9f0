/** Owns the run with SO_REUSEPORT: the new process binds the same port, then the old one closes. Nothing is passed. */
import * as path from 'node:path';
import { monotonicMs } from '../../demo/clock';
import type { Setting, Started, Subject } from '../../demo/course';
import type { Restart } from '../../demo/outcome';

const kWorker = path.join(__dirname, 'worker.js');
const kStepMs = 30_000;

export class ReusePortSubject implements Subject {
  readonly label = 'SO_REUSEPORT';
  readonly #setting: Setting;
  #current: Started = { generation: -1, pid: Number.NaN, port: 0 };

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async start(): Promise<Started> {
    const { children, signal } = this.#setting;
    const { generation, port } = this.#current;
    const env = { GENERATION: String(generation + 1), PORT: String(port), REUSE_PORT: '1' };
    const { pid } = children.spawn(kWorker, [], env);
    this.#current = await children.events.waitFor(
      `process ${pid} to be ready`,
      (event) => {
        if (event.event === 'child-exit' && event.pid === pid) throw new Error(`process ${pid} exited`);
        return event.event === 'ready' && event.pid === pid ? event : undefined;
      },
      { since: 0, timeoutMs: kStepMs, signal },
    );
    return this.#current;
  }

  async restart(): Promise<Restart> {
    const startMs = monotonicMs();
    const old = this.#current.pid;
    const { generation, pid } = await this.start();
    const switchedAtMs = monotonicMs();
    this.#setting.children.signal(old, 'SIGTERM');
    const startToReadyMs = switchedAtMs - startMs;
    return { how: this.label, generation, pid, switchedAtMs, startToReadyMs, readyToStoppedMs: null };
  }
}
