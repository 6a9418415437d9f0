/**
 * Owns the naive run: the new process is booted first, then the old one does `server.close()`, and the new one tries until
 * the port is free. It is the kindest form of closing and binding again: the boot costs no time without a listener.
 */
import * as path from 'node:path';
import { monotonicMs } from './clock';
import type { Setting, Started, Subject } from './course';
import type { Restart } from './outcome';

const kServer = path.join(__dirname, 'naive-server.js');
const kStepMs = 30_000;

export class NaiveSubject implements Subject {
  readonly label = 'close() + bind';
  readonly #setting: Setting;
  #current: Started = { generation: -1, pid: Number.NaN, port: 0 };

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async start(): Promise<Started> {
    const pid = this.#spawnNext();
    this.#current = await this.#await('ready', pid);
    return this.#current;
  }

  async restart(): Promise<Restart> {
    const old = this.#current;
    const startMs = monotonicMs();
    const pid = this.#spawnNext();
    await this.#await('booted', pid);
    this.#setting.children.signal(old.pid, 'SIGTERM');
    this.#current = await this.#await('ready', pid);
    const switchedAtMs = monotonicMs();
    const { generation } = this.#current;
    return {
      how: 'close() + bind',
      generation,
      pid,
      switchedAtMs,
      startToReadyMs: switchedAtMs - startMs,
      readyToStoppedMs: null,
    };
  }

  #spawnNext(): number {
    const { generation, port } = this.#current;
    const { pid } = this.#setting.children.spawn(kServer, [String(generation + 1), String(port)]);
    if (pid === undefined) throw new Error(`cannot start ${kServer}`);
    return pid;
  }

  #await(state: 'booted' | 'ready', pid: number): Promise<Started> {
    const { children, signal } = this.#setting;
    return children.events.waitFor(
      `naive server ${pid} to be ${state}`,
      (event) => {
        if (event.event === 'child-exit' && event.pid === pid) throw new Error(`naive server ${pid} exited`);
        if (event.event === 'ready' && event.pid === pid) return event;
        return event.event === state && event.pid === pid ? { ...event, port: 0 } : undefined;
      },
      { since: 0, timeoutMs: kStepMs, signal },
    );
  }
}
