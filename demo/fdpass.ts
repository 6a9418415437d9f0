/** Owns the run with fdpass: starts demo/server.ts, has it replaced in two ways, lets two successors break. */
import * as path from 'node:path';
import type { Setting, Started, Subject } from './course';
import type { NamedEvent, Receipt, ServerEvent } from './events';
import type { BreakOutcome, Defect, Restart } from './outcome';

const kServer = path.join(__dirname, 'server.js');
/** A replacement takes a fifth of a second; whatever takes this long is stuck. */
const kStepMs = 30_000;

export class FdpassSubject implements Subject {
  readonly label = 'fdpass';
  readonly #setting: Setting;
  readonly #env: Readonly<Record<string, string>>;
  #current: Started = { generation: Number.NaN, pid: Number.NaN, port: Number.NaN };

  constructor(setting: Setting, address: string) {
    this.#setting = setting;
    this.#env = { DEMO_ADDRESS: address };
  }

  async start(): Promise<Started> {
    const { pid } = this.#setting.children.spawn(kServer, [], this.#env);
    this.#current = await this.#await('the first server', 0, (event) => {
      if (event.event === 'ready' && event.pid === pid) return event;
      if (event.event === 'child-exit' && event.pid === pid)
        throw new Error(`the first server exited: ${exitOf(event)}`);
      return undefined;
    });
    return this.#current;
  }

  /** Alternately by the server itself and by a process that the server knows nothing of. */
  async restart(index: number): Promise<Restart> {
    const old = this.#current;
    const { children } = this.#setting;
    const since = children.events.end;
    if (!children.isAlive(old.pid)) throw new Error(`the old server, process ${old.pid}, is gone`);
    const bySelf = index % 2 === 0;
    const spawned = bySelf ? undefined : children.spawn(kServer, [], this.#env).pid;
    if (bySelf) children.signal(old.pid, 'SIGUSR2');

    const receipt = await this.#await(`the receipt of process ${old.pid}`, since, (event) => {
      if (event.event === 'superseded' && event.receipt.predecessor.pid === old.pid) return event.receipt;
      throwIfFailed(event, { old: old.pid, spawned });
      return undefined;
    });
    // It said so as soon as it was alone; the receipt came when its probation was over.
    const { ready, switchedAtMs } = await this.#await(
      `process ${receipt.pid} to be ready`,
      since,
      (event, atMs) =>
        event.event === 'ready' && event.pid === receipt.pid
          ? { ready: event, switchedAtMs: atMs }
          : undefined,
    );
    this.#current = ready;
    return restartOf(receipt, { how: bySelf ? 'upgrade()' : 'unrelated process', switchedAtMs });
  }

  async breakSuccessor(defect: Defect): Promise<BreakOutcome> {
    const { children } = this.#setting;
    const { pid, generation } = this.#current;
    const since = children.events.end;
    children.signal(pid, defect === 'while it boots' ? 'SIGHUP' : 'SIGWINCH');
    const failure = await this.#await(`the end of the successor that breaks ${defect}`, since, (event) =>
      event.event === 'upgrade-failed' && event.pid === pid ? event : undefined,
    );
    return {
      defect,
      servedOn: children.isAlive(pid) && failure.state === 'serving',
      generation,
      code: failure.code ?? 'no code',
      // The message carries the stderr too, for a log that has nothing else.
      message: failure.message.split('\n', 1)[0] ?? '',
      stderr: failure.stderr ?? '',
    };
  }

  #await<T>(
    what: string,
    since: number,
    pick: (event: ServerEvent, atMs: number) => T | undefined,
  ): Promise<T> {
    const { children, signal } = this.#setting;
    return children.events.waitFor(what, pick, { since, timeoutMs: kStepMs, signal });
  }
}

function restartOf(receipt: Receipt, rest: { how: string; switchedAtMs: number }): Restart {
  const { generation, pid, startToReadyMs, readyToStoppedMs } = receipt;
  return { ...rest, generation, pid, startToReadyMs, readyToStoppedMs };
}

function throwIfFailed(
  event: ServerEvent,
  { old, spawned }: { old: number; spawned: number | undefined },
): void {
  if (event.event === 'upgrade-failed' && event.pid === old) throw new Error(describe(event));
  if (event.event === 'child-exit' && event.pid === spawned)
    throw new Error(`the successor exited: ${exitOf(event)}`);
  if (event.event === 'child-exit' && event.pid === old && event.signal) {
    throw new Error(`the old server was ended by ${event.signal}`);
  }
  if (event.event === 'exit' && event.pid === old) throw new Error('the old server exited without a receipt');
}

function exitOf({ code, signal }: NamedEvent<'child-exit'>): string {
  return signal ?? `code ${code}`;
}

function describe({ code, message }: NamedEvent<'upgrade-failed'>): string {
  return `${code}: ${message}`;
}
