// Seat: what makes a process the primary of its pool: the registry of its sockets and, with a name, its tenure, by which
// another primary takes over, and the meeting, at which that one finds the workers.
import { existsSync } from 'node:fs';
import { FdpassError } from '../base/errors';
import type { UnixAddress } from '../fd/address';
import { ask } from '../handoff/ask';
import type { HandoffSettings } from '../handoff/options';
import type { PoolHooks } from '../handoff/pool-commands';
import type { Balance } from '../handoff/pool-status';
import { systemProcess } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import { Registry } from '../handoff/registry';
import { stateError } from '../handoff/state-error';
import type { HandoffEvents, HandoffState } from '../handoff/status';
import { Tenure } from '../handoff/tenure';
import type { UpgradeOptions } from '../handoff/upgrade';
import type { ListenerRecord } from './listeners';
import { MEETING, Meeting, type MeetingHooks, meetingAddress, meetingPlace } from './meeting';
import type { SlotRecord } from './slot';

/** What a primary leaves to the next one, besides its sockets and its workers. Fields are added, never changed. */
export interface PoolRecord {
  balance: Balance;
  size: number;
  /** By scale(), so that it outlives the options. */
  scaled: boolean;
  slots: SlotRecord[];
  listeners: ListenerRecord[];
}

export interface SeatHooks extends MeetingHooks {
  commands: PoolHooks;
  /** Takes over only if the predecessor has started this process. */
  exclusive: boolean;
  record(): PoolRecord;
  announce<E extends keyof HandoffEvents>(event: E, ...args: HandoffEvents[E]): void;
}

/** Of provideState(). */
const RECORD_VERSION = 1;

/** For the workers of another primary to come: they look for the next one each 100 ms. It is over when all are there. */
const RETURN_MS = 2_000;
/** The same, where nothing tells whether there was another one. */
const PERHAPS_MS = 300;

/** A primary that is alive and not stopped answers long before. */
const ANSWER_MS = 1_000;

export class Seat {
  readonly registry = new Registry();
  /** Where workers find a later primary. */
  readonly meeting: UnixAddress | undefined;
  readonly #hooks: SeatHooks;
  readonly #settings: HandoffSettings | undefined;
  readonly #tenure: Tenure | undefined;
  /** How long workers may take to come to this primary, in milliseconds. */
  #returnMs = 0;

  constructor(settings: HandoffSettings | undefined, hooks: SeatHooks) {
    this.#hooks = hooks;
    this.#settings = settings;
    this.meeting = settings && meetingAddress(settings.address);
    this.#tenure =
      settings &&
      new Tenure({
        settings,
        seam: systemProcess,
        registry: this.registry,
        pool: hooks.commands,
        announce: (event, ...args) => process.nextTick(() => hooks.announce(event, ...args)),
      });
  }

  get #name(): string | undefined {
    return this.#settings?.name;
  }

  get returnMs(): number {
    return this.#returnMs;
  }

  get generation(): number {
    return this.#tenure?.generation ?? 1;
  }

  get predecessor(): { pid: number; generation: number } | undefined {
    return this.#tenure?.predecessor;
  }

  /** It has the workers, or is about to. */
  get isPrimary(): boolean {
    return this.state === 'starting' || this.state === 'probation' || this.state === 'serving';
  }

  /** The process that is taking over. */
  get heir(): number | undefined {
    const pid = this.#tenure?.busy?.pid;
    return pid === process.pid ? undefined : pid;
  }

  get state(): HandoffState {
    return this.#tenure?.state ?? 'serving';
  }

  /** Resolves when another primary has taken over, and the workers that are left to this one have ended. */
  get superseded(): Promise<Receipt> {
    return this.#tenure?.superseded ?? new Promise(() => {});
  }

  /**
   * Finds out whether there is a primary already.
   * @returns what it has left: it serves on until ready()
   * @throws as createHandoff(); ERR_HANDOFF_STATE: a service of that name runs that is no pool
   */
  async take(): Promise<PoolRecord | undefined> {
    if (this.#tenure === undefined || this.meeting === undefined) return undefined;
    // What a primary that was killed leaves behind. An abstract name leaves nothing.
    const wasKilled = this.meeting.kind === 'path' && existsSync(this.meeting.bytes);
    if (this.#hooks.exclusive && !this.#tenure.wasStarted) await this.#requireAlone();
    await this.#tenure.begin();
    const { predecessor, handedState } = this.#tenure;
    if (predecessor !== undefined && !isRecord(handedState?.value)) {
      await this.#tenure.close(); // it serves on
      throw new FdpassError(
        'ERR_HANDOFF_STATE',
        `${this.#name} runs already, as process ${predecessor.pid}, and is no pool: give options.name another one`,
      );
    }
    if (predecessor !== undefined && this.#hooks.exclusive && !this.#tenure.wasStarted) {
      await this.#tenure.close();
      throw this.#runsAlready(predecessor.pid);
    }
    this.#tenure.provideState(RECORD_VERSION, () => this.#hooks.record());
    this.registry.claim(MEETING, {
      place: meetingPlace(this.meeting),
      service: () => new Meeting(this.#hooks),
    });
    if (predecessor !== undefined) {
      this.#returnMs = RETURN_MS;
      return handedState?.value as PoolRecord;
    }
    if (wasKilled) this.#returnMs = RETURN_MS;
    else this.#returnMs = this.meeting.kind === 'path' ? 0 : PERHAPS_MS;
    await this.registry.start();
    return undefined;
  }

  /** Asked for, where it can be: to begin a takeover and drop it looks like one that has failed. */
  async #requireAlone(): Promise<void> {
    const { address } = this.#settings as HandoffSettings;
    const answer = await ask({ address, command: 'status', timeoutMs: ANSWER_MS }).catch(() => undefined);
    if (answer?.outcome === 'status') throw this.#runsAlready(answer.status.pid);
  }

  #runsAlready(pid: number): FdpassError {
    const text = `${this.#name} runs already, as process ${pid}; replace its workers: fdpass restart ${this.#name}, or give another --name`;
    return new FdpassError('ERR_HANDOFF_STATE', text);
  }

  /** For `fdpass status`: a roll has failed. */
  noteFailure(error: Error): void {
    this.#tenure?.noteFailure(error);
  }

  /** Serves. A predecessor releases its workers. @throws as ready() of a Handoff */
  async ready(): Promise<void> {
    await this.#tenure?.ready();
    if (this.#tenure === undefined) await this.registry.start();
  }

  /** Gives the service back to the predecessor, and the workers with it. @throws as fail() of a Handoff */
  async fail(reason: string): Promise<void> {
    await this.#tenure?.fail(reason);
  }

  async upgrade(options?: UpgradeOptions): Promise<Receipt> {
    if (this.#tenure !== undefined) return await this.#tenure.upgrade(options);
    throw stateError('a pool without a name cannot be taken over: give createPool() options.name');
  }

  /** @throws ERR_HANDOFF_STATE, ERR_POOL_BUSY: the workers are, or are about to be, another primary's */
  requireWorkers(): void {
    if (this.state !== 'serving' && this.state !== 'probation')
      throw stateError(`a primary that is ${this.state} has no workers to change`);
    if (this.heir !== undefined)
      throw new FdpassError('ERR_POOL_BUSY', `process ${this.heir} is taking over: wait for it`);
  }

  /** A listener has come that this process may have to remove the file of. */
  ownNames(): void {
    if (this.state === 'serving') this.registry.own();
  }

  /** Stops listening, and waits for the workers. */
  async close(): Promise<void> {
    if (this.#tenure !== undefined) {
      await this.#tenure.close();
      return;
    }
    this.registry.stop({ unlink: () => true });
    this.#hooks.part();
    await this.#hooks.drained();
  }
}

function isRecord(value: unknown): value is PoolRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { slots, listeners } = value as Partial<PoolRecord>;
  return Array.isArray(slots) && Array.isArray(listeners);
}
