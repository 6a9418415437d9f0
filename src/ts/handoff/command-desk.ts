// CommandDesk: answers the commands that come over the control socket. A command never has the lease.
import { hasCode } from '../base/errors';
import { HandoffBusyError } from './busy';
import type { ControlChannel } from './channel';
import { type Failure, REASON_CHARS, type Result, readRequest, type ServiceStatus } from './command';
import type { Busy } from './payloads';
import type { PoolHooks, Progress } from './pool-commands';
import { repeat, scalePool, sendLogs, sendPool } from './pool-desk';
import type { ProcessSeam } from './process';
import type { Receipt } from './receipt';
import type { ListenerStatus } from './status';
import type { UpgradeError } from './upgrade';

export interface CommandHooks {
  /** upgrade(). */
  restart(): Promise<Receipt>;
  status(): ServiceStatus;
  /** Gives the service back to a predecessor that has not given it up; undefined: there is none. */
  giveBack(reason: string): Promise<void> | undefined;
  /** Of a pool. */
  pool?: PoolHooks | undefined;
}

export interface DeskHooks extends CommandHooks {
  seam: ProcessSeam;
  /** Who is upgrading, or why nobody can. */
  busy(): Busy | undefined;
  /** Calls the upgrade off that has the lease; undefined: there is none. */
  callOff(reason: string): Result | undefined;
}

/** In one frame, with addresses of the longest kind. */
const LISTENERS_PER_FRAME = 32;

/** For whoever asks to read the end of the answer. */
const LINGER_MS = 5_000;

const STDERR_CHARS = 8 * 1024;

/** Who gives a command. */
interface Asker {
  channel: ControlChannel;
  pid: number;
  /** Aborts when it has gone. */
  gone: AbortSignal;
}

export class CommandDesk {
  readonly #hooks: DeskHooks;
  /** Who waits for an upgrade. One at most: the next one is told that we are busy. */
  #watcher: ControlChannel | undefined;

  constructor(hooks: DeskHooks) {
    this.#hooks = hooks;
  }

  /** Takes the channel over. @param pid of who asks */
  async answer(payload: Record<string, unknown>, channel: ControlChannel, pid: number): Promise<void> {
    // One command for a connection: whatever comes behind it ends that, and not what it has asked for.
    const gone = new AbortController();
    const hangUp = (): void => {
      channel.close();
      gone.abort();
    };
    channel.redirect({ onFrame: hangUp, onGarbage: hangUp, onEnd: () => gone.abort() });
    const result = await this.#resultOf(payload, { channel, pid, gone: gone.signal });
    // To close is to drop what the socket has no room for yet.
    const stopWaiting = this.#hooks.seam.setTimer(LINGER_MS, () => channel.close());
    await channel.deliver('RESULT', { ...result });
    stopWaiting();
    channel.close();
  }

  /** The upgrade goes on: tells who waits for it. */
  progress(): void {
    const busy = this.#busy();
    if (busy !== undefined) this.#watcher?.send('PROGRESS', { ...busy });
  }

  /** Who is replacing what, or why nobody can. */
  #busy(): Progress | undefined {
    return this.#hooks.pool?.rolling() ?? this.#hooks.busy();
  }

  async #resultOf(payload: Record<string, unknown>, asker: Asker): Promise<Result> {
    const { channel, pid } = asker;
    try {
      const { command, name, supervisor } = readRequest(payload);
      const status = this.#hooks.status();
      if (name !== undefined && name !== status.name)
        return refused(`the service here is ${status.name}, not ${name}`);
      switch (command) {
        case 'restart':
          return await this.#restart(channel, supervisor);
        case 'status':
          return this.#status(status, channel);
        case 'abort':
          return await this.#abort(`called off by fdpass abort (process ${pid})`);
        case 'scale':
        case 'logs':
          return await this.#askPool(command, payload, asker);
        default:
          return refused(
            `process ${status.pid} does not know the command ${command}: it runs an older fdpass`,
          );
      }
    } catch (error) {
      return outcomeOf(error as Error);
    }
  }

  async #askPool(command: 'scale' | 'logs', payload: Record<string, unknown>, asker: Asker): Promise<Result> {
    const { pool, seam } = this.#hooks;
    if (pool === undefined) return refused(`${this.#hooks.status().name} is no pool: it has no workers`);
    if (command === 'logs') return await sendLogs(pool, payload, { ...asker, seam });
    const stopBeat = repeat(seam, () => asker.channel.send('PROGRESS', {}));
    try {
      return await scalePool(pool, payload);
    } finally {
      stopBeat();
    }
  }

  async #restart(channel: ControlChannel, supervisor: boolean): Promise<Result> {
    const { restart, pool, seam } = this.#hooks;
    if (supervisor && pool === undefined)
      return refused(`${this.#hooks.status().name} is no pool: restart it without --supervisor`);
    const busy = this.#busy();
    if (busy !== undefined) return { outcome: 'busy', ...busy };
    this.#watcher = channel;
    const replaced =
      pool === undefined || supervisor
        ? restart().then((receipt) => ({ outcome: 'committed', receipt }) as const)
        : pool.roll(() => this.progress()).then((receipt) => ({ outcome: 'rolled', receipt }) as const);
    const stopBeat = repeat(seam, () => this.progress()); // it has begun
    try {
      return await replaced;
    } catch (error) {
      return outcomeOf(error as Error);
    } finally {
      stopBeat();
      this.#watcher = undefined;
    }
  }

  async #abort(reason: string): Promise<Result> {
    const called = this.#hooks.callOff(reason);
    if (called !== undefined) return called;
    const { pid, state } = this.#hooks.status();
    const givingBack = this.#hooks.giveBack(reason);
    if (givingBack === undefined) return await this.#abortRoll(reason);
    await givingBack;
    return { outcome: 'aborted', pid, state, rolledBack: state === 'probation' };
  }

  async #abortRoll(reason: string): Promise<Result> {
    const { pool } = this.#hooks;
    const stood = await pool?.abort(reason);
    if (stood !== undefined) {
      const { pid, state, worker, done, total } = stood;
      return { outcome: 'aborted', pid, state, rolledBack: false, worker, done, total };
    }
    const none = pool === undefined ? 'no upgrade is under way' : 'no roll and no upgrade is under way';
    return { outcome: 'nothing', reason: none };
  }

  #status(status: ServiceStatus, channel: ControlChannel): Result {
    const pool = this.#hooks.pool?.status();
    const told = { ...status, listeners: [] };
    if (pool === undefined) {
      sendListeners(status.listeners, channel);
      return { outcome: 'status', status: told };
    }
    sendListeners(pool.listeners.map(asListener), channel);
    const connections = pool.workers.reduce((sum, worker) => sum + (worker.connections ?? 0), 0);
    return { outcome: 'status', status: { ...told, connections, pool: sendPool(pool, channel) } };
  }
}

/** The connections to it are the workers'. */
function asListener({ name, address }: { name: string; address: string }): ListenerStatus {
  return { name, address, inherited: false, connections: 0 };
}

function sendListeners(listeners: readonly ListenerStatus[], channel: ControlChannel): void {
  for (let at = 0; at < listeners.length; at += LISTENERS_PER_FRAME)
    channel.send('PROGRESS', { listeners: listeners.slice(at, at + LISTENERS_PER_FRAME) });
}

function refused(reason: string): Result {
  return { outcome: 'refused', reason };
}

function outcomeOf(error: Error): Result {
  if (!(error instanceof HandoffBusyError)) return failureOf(error);
  const { pid, ageMs, state } = error;
  return { outcome: 'busy', pid, ageMs, state };
}

function failureOf(error: Error): Failure {
  const { stderr = '', exitCode = null, signal = null } = error as Partial<UpgradeError>;
  return {
    outcome: hasCode(error, 'ERR_HANDOFF_ROLLED_BACK') ? 'rolledback' : 'failed',
    code: 'code' in error ? String(error.code) : 'ERR_HANDOFF_ABORTED',
    reason: reasonOf(error).slice(0, REASON_CHARS),
    stderr: stderr.slice(-STDERR_CHARS),
    exitCode,
    signal,
  };
}

/** That a successor has exited is half of the story: the cause says how far it was, or who called it off. */
function reasonOf(error: Error): string {
  const { reason = error.message } = error as Partial<UpgradeError>;
  const cause = error.cause instanceof Error ? error.cause.message : '';
  return cause === '' || reason.includes(cause) ? reason : `${reason} (${cause})`;
}
