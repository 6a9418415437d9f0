// CommandDesk: answers the commands that come over the control socket. A command never has the lease.
import { hasCode } from '../base/errors';
import type { ControlChannel } from './channel';
import { type Failure, REASON_CHARS, type Result, readRequest, type ServiceStatus } from './command';
import type { Busy } from './payloads';
import type { ProcessSeam } from './process';
import type { Receipt } from './receipt';
import { UpgradeError } from './upgrade';

export interface CommandHooks {
  /** upgrade(). */
  restart(): Promise<Receipt>;
  status(): ServiceStatus;
  /** Gives the service back to a predecessor that has not given it up; undefined: there is none. */
  giveBack(reason: string): Promise<void> | undefined;
}

export interface DeskHooks extends CommandHooks {
  seam: ProcessSeam;
  /** Who is upgrading, or why nobody can. */
  busy(): Busy | undefined;
  /** Calls the upgrade off that has the lease; undefined: there is none. */
  callOff(reason: string): Result | undefined;
}

/** Whoever waits for a restart hears from this process at least so often. */
const BEAT_MS = 1_000;

/** In one frame, with addresses of the longest kind. */
const LISTENERS_PER_FRAME = 32;

const STDERR_CHARS = 8 * 1024;

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
    channel.redirect({
      onFrame: () => channel.close(),
      onGarbage: () => channel.close(),
      onEnd: () => {},
    });
    channel.send('RESULT', { ...(await this.#resultOf(payload, channel, pid)) });
    channel.close();
  }

  /** The upgrade goes on: tells who waits for it. */
  progress(): void {
    const busy = this.#hooks.busy();
    if (busy !== undefined) this.#watcher?.send('PROGRESS', { ...busy });
  }

  async #resultOf(payload: Record<string, unknown>, channel: ControlChannel, pid: number): Promise<Result> {
    try {
      const { command, name } = readRequest(payload);
      const status = this.#hooks.status();
      if (name !== undefined && name !== status.name)
        return refused(`the service here is ${status.name}, not ${name}`);
      switch (command) {
        case 'restart':
          return await this.#restart(channel);
        case 'status':
          return sendStatus(status, channel);
        case 'abort':
          return await this.#abort(`called off by fdpass abort (process ${pid})`);
        default:
          return refused(
            `process ${status.pid} does not know the command ${command}: it runs an older fdpass`,
          );
      }
    } catch (error) {
      return failureOf(error as Error);
    }
  }

  async #restart(channel: ControlChannel): Promise<Result> {
    const busy = this.#hooks.busy();
    if (busy !== undefined) return { outcome: 'busy', ...busy };
    const restarted = this.#hooks.restart();
    this.#watcher = channel;
    let stopBeat = () => {};
    const beat = (): void => {
      this.progress();
      stopBeat = this.#hooks.seam.setTimer(BEAT_MS, beat);
    };
    beat();
    try {
      return { outcome: 'committed', receipt: await restarted };
    } catch (error) {
      return failureOf(error as Error);
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
    if (givingBack === undefined) return { outcome: 'nothing', reason: 'no upgrade is under way' };
    await givingBack;
    return { outcome: 'aborted', pid, state, rolledBack: state === 'probation' };
  }
}

function sendStatus(status: ServiceStatus, channel: ControlChannel): Result {
  const { listeners } = status;
  for (let at = 0; at < listeners.length; at += LISTENERS_PER_FRAME)
    channel.send('PROGRESS', { listeners: listeners.slice(at, at + LISTENERS_PER_FRAME) });
  return { outcome: 'status', status: { ...status, listeners: [] } };
}

function refused(reason: string): Result {
  return { outcome: 'refused', reason };
}

function failureOf(error: Error): Failure {
  const { stderr, exitCode, signal } =
    error instanceof UpgradeError ? error : { stderr: '', exitCode: null, signal: null };
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
  const reason = error instanceof UpgradeError ? error.reason : error.message;
  const cause = error.cause instanceof Error ? error.cause.message : '';
  return cause === '' || reason.includes(cause) ? reason : `${reason} (${cause})`;
}
