// Crew: the workers of a pool that live, whichever place they are in: those that this primary has started, and those that it has
// taken over. What they ask for is answered here.
import type { UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import { systemProcess } from '../handoff/process';
import type { OutputStream, WorkerMessage } from '../worker/messages';
import { keptProcess } from './kept-process';
import type { Listeners } from './listeners';
import { LogBook } from './log-book';
import type { Return } from './meeting';
import type { PoolSettings } from './options';
import { type Running, startWorker } from './start-worker';
import { type Identity, LAST_LINES_MS, Worker, type WorkerLink } from './worker';

export interface CrewHooks {
  /** Where workers find a later primary. */
  meeting(): UnixAddress | undefined;
  ready(worker: Worker): void;
  ended(worker: Worker): void;
  output(worker: Worker, stream: OutputStream, chunk: Buffer): void;
  /** Resolves when the workers of another primary have come: what one of them wants another one may bring. */
  returned(): Promise<void>;
  /** A worker's program wants a roll. */
  roll(): Promise<unknown>;
}

export class Crew {
  /** What the workers have printed, with the output mode 'event'. */
  readonly logs = new LogBook();
  readonly #settings: PoolSettings;
  readonly #listeners: Listeners;
  readonly #hooks: CrewHooks;
  readonly #workers = new Set<Worker>();

  constructor(settings: PoolSettings, listeners: Listeners, hooks: CrewHooks) {
    this.#settings = settings;
    this.#listeners = listeners;
    this.#hooks = hooks;
  }

  /** @throws SystemError EMFILE, EAGAIN */
  start(identity: Identity): Worker {
    const { running, socket } = startWorker(this.#settings.program, {
      worker: identity.worker,
      meeting: this.#hooks.meeting(),
    });
    const worker = this.#enlist(identity, running);
    worker.begin(socket);
    return worker;
  }

  /** One that another primary has started. */
  keep(identity: Identity, pid: number): Worker {
    return this.#enlist(identity, keptProcess(pid, systemProcess));
  }

  /** It has found this primary, with the listeners that it holds. Takes the link and the descriptors over. */
  takeBack(worker: Worker, hello: Return, link: WorkerLink, fds: readonly Fd[]): void {
    const { listeners } = hello.back;
    this.#listeners.forget(worker, { closeUnused: false }); // it may have closed some while it had no primary
    for (const [index, held] of listeners.entries()) {
      const fd = fds[index];
      if (fd !== undefined) this.#listeners.bringBack(held, fd, worker);
    }
    Fd.closeAll(fds.slice(listeners.length));
    worker.comeBack(link, hello);
  }

  /** Connections of all workers that are open, and were accepted. */
  figures(): { open: number; accepted: number } {
    const figures = [...this.#workers].map((worker) => worker.figures);
    return {
      open: figures.reduce((sum, { connections = 0 }) => sum + connections, 0),
      accepted: figures.reduce((sum, { accepted = 0 }) => sum + accepted, 0),
    };
  }

  /** Resolves when all have ended but those that were released to another primary. */
  async drained(): Promise<void> {
    const ours = [...this.#workers].filter(({ phase }) => phase !== 'released');
    await Promise.all(ours.map((worker) => worker.ended));
  }

  #enlist(identity: Identity, running: Running): Worker {
    const { program, timeouts, probationMs, heartbeat } = this.#settings;
    const seesOutput = program.output === 'event';
    const worker: Worker = new Worker(identity, running, {
      seam: systemProcess,
      timeouts,
      probationMs,
      heartbeat,
      seesOutput,
      registered: program.register,
      listen: (message) => void this.#listen(worker, message),
      unlisten: (name) => this.#listeners.unlisten(name, worker),
      changed: () => this.#listeners.update(),
      room: () => this.#listeners.tryAgain(),
      roll: () => this.#hooks.roll(),
    });
    this.#workers.add(worker);
    worker.on('probation', () => this.#hooks.ready(worker));
    if (seesOutput) this.#keepOutput(worker);
    void worker.ended.then(() => this.#onEnded(worker));
    return worker;
  }

  #keepOutput(worker: Worker): void {
    const writer = this.logs.open(worker.identity, () => worker.pid);
    worker.on('output', (stream, chunk) => {
      writer.write(stream, chunk);
      this.#hooks.output(worker, stream, chunk);
    });
    void worker.ended.then(() => systemProcess.setTimer(LAST_LINES_MS, () => writer.end()));
  }

  async #listen(worker: Worker, { name, request, place }: WorkerMessage & { type: 'listen' }): Promise<void> {
    await this.#hooks.returned();
    try {
      worker.answer(request, await this.#listeners.find(name, place, worker));
      if (this.#workers.has(worker)) this.#listeners.update();
      else this.#listeners.forget(worker, { closeUnused: true }); // it has ended meanwhile
    } catch (error) {
      worker.refuse(request, error as Error);
    }
  }

  #onEnded(worker: Worker): void {
    this.#workers.delete(worker);
    this.#hooks.ended(worker);
    // Behind a crash of all of them the listeners stay: clients wait in their queues until somebody is back.
    const closeUnused = worker.dismissed && this.#workers.size > 0;
    this.#listeners.forget(worker, { closeUnused });
  }
}
