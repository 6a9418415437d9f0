// ask(): gives one command to the process that serves, and waits for the result.

import { randomBytes } from 'node:crypto';
import { lstatSync } from 'node:fs';
import path from 'node:path';
import { onCancel } from '../base/abort';
import { FdpassError, hasCode } from '../base/errors';
import { pathOf, type UnixAddress } from '../fd/address';
import { UnixSeqpacket } from '../sockets/seqpacket';
import { ControlChannel } from './channel';
import { type Ahead, type CommandName, type Result, readListeners, readResult, readWorkers } from './command';
import { runtimeDirectory } from './control-address';
import { type Frame, TXN_BYTES } from './frame';
import { CONTROL_OPTIONS, pauseBeforeRetry } from './join';
import { countField, readReason, readRefusal } from './payloads';
import { type LogLine, type Progress, readLogLines, readProgress } from './pool-commands';

export interface AskOptions {
  address: UnixAddress;
  command: CommandName;
  /** Refused by a process that serves something else. */
  name?: string | undefined;
  /** Milliseconds for all of it. Default: as long as the process lets us hear that it goes on. */
  timeoutMs?: number | undefined;
  /** What the command takes besides the name. */
  more?: Record<string, unknown>;
  /** Of a restart. */
  onProgress?: (progress: Progress) => void;
  /** Stops waiting: rejects with an AbortError. */
  signal?: AbortSignal | undefined;
  /** Of a log. @param dropped lines that were left out before these, because we were slow */
  onLines?: (lines: LogLine[], dropped: number) => void;
}

/** From one word of the process to the next; while it restarts it says one each second. */
const SILENCE_MS = 5_000;

/** How often we are hung up on before we ask why: whoever hands over hangs up once. */
const ATTEMPTS = 3;

/**
 * Never changes what runs by going away: an upgrade goes on without us.
 * @throws ERR_HANDOFF_NOBODY (nothing listens there), ERR_HANDOFF_UNTRUSTED_PEER, ERR_HANDOFF_REFUSED (we are not on its
 * list), ERR_HANDOFF_VERSION (it knows no commands), ERR_HANDOFF_HOLDER_GONE (it ended, and has not said what became of
 * it), ERR_HANDOFF_TIMEOUT (the same, of one that is silent), ERR_HANDOFF_PROTOCOL, SystemError EACCES, EPROTOTYPE
 */
export async function ask(options: AskOptions): Promise<Result> {
  const { command, name } = options;
  const end = performance.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
  const request = { ...options.more, command, ...(name === undefined ? {} : { name }) };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const result = await new Conversation(options, end).hold('COMMAND', request);
    if (result !== 'hung up') return result;
    await pauseBeforeRetry();
  }
  throw await whyItHangsUp(options, end);
}

/**
 * A process that knows no COMMAND takes it for nonsense and hangs up without a word. It answers a successor, though,
 * and says which versions it speaks to one that speaks none of them; that does not disturb it.
 */
async function whyItHangsUp({ address, timeoutMs }: AskOptions, end: number): Promise<Error> {
  const cause = await new Conversation({ address, command: 'status', timeoutMs }, end)
    .hold('HELLO', { versions: [0, 0], uptimeMs: 0 })
    .catch((error: unknown) => error);
  if (hasCode(cause, 'ERR_HANDOFF_VERSION', 'ERR_HANDOFF_TIMEOUT')) return cause as Error;
  const text = `whoever listens on ${address} hangs up on us: it is no fdpass service, or does not stay`;
  return new FdpassError('ERR_HANDOFF_PROTOCOL', text, { cause });
}

/** One connection: one word from us, and what is answered. */
class Conversation {
  readonly #options: AskOptions;
  /** When `timeoutMs` is over, by performance.now(). */
  readonly #end: number;
  readonly #ahead: Ahead = { listeners: [], workers: [] };
  #heard = false;
  #silence: NodeJS.Timeout | undefined;
  #resolve: (result: Result | 'hung up') => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(options: AskOptions, end: number) {
    this.#options = options;
    this.#end = end;
  }

  async hold(type: 'COMMAND' | 'HELLO', payload: Record<string, unknown>): Promise<Result | 'hung up'> {
    const { address, timeoutMs } = this.#options;
    const socket = await connect(this.#options, this.#end);
    const answer = new Promise<Result | 'hung up'>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const channel = new ControlChannel(socket, randomBytes(TXN_BYTES).toString('hex'), {
      onFrame: (frame) => this.#onFrame(frame),
      onGarbage: (reason) => this.#reject(nonsense(address, reason)),
      onEnd: () => this.#onEnd(),
    });
    const limit =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => this.#tooLate(timeoutMs), this.#end - performance.now());
    const stopWatching = onCancel({ signal: this.#options.signal }, 'the command', this.#reject);
    this.#listen();
    channel.send(type, payload);
    try {
      return await answer;
    } finally {
      stopWatching();
      clearTimeout(limit);
      clearTimeout(this.#silence);
      channel.close();
    }
  }

  #onFrame(frame: Frame): void {
    this.#heard = true;
    this.#listen();
    try {
      this.#read(frame);
    } catch (error) {
      this.#reject(nonsense(this.#options.address, (error as Error).message));
    }
  }

  #read({ type, payload }: Frame): void {
    switch (type) {
      case 'PROGRESS': {
        const progress = readProgress(payload);
        if (progress !== undefined) this.#options.onProgress?.(progress);
        this.#ahead.listeners.push(...readListeners(payload));
        this.#ahead.workers.push(...readWorkers(payload));
        this.#readLines(payload);
        return;
      }
      case 'RESULT':
        this.#resolve(readResult(payload, this.#ahead));
        return;
      case 'REFUSED':
        this.#reject(refusal(this.#options.address, payload));
        return;
      default:
        this.#reject(
          nonsense(this.#options.address, type === 'NAK' ? readReason(payload) : `it said ${type}`),
        );
    }
  }

  #readLines(payload: Record<string, unknown>): void {
    const lines = readLogLines(payload);
    const dropped = countField(payload, 'dropped') ?? 0;
    if (lines.length > 0 || dropped > 0) this.#options.onLines?.(lines, dropped);
  }

  #onEnd(): void {
    if (!this.#heard) {
      this.#resolve('hung up');
      return;
    }
    const text = `the process ended before it said what became of the ${this.#options.command}; see fdpass status`;
    this.#reject(new FdpassError('ERR_HANDOFF_HOLDER_GONE', text));
  }

  /** Waits for the next word. */
  #listen(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#tooLate(SILENCE_MS), SILENCE_MS);
  }

  #tooLate(ms: number): void {
    const { address, command } = this.#options;
    // Timers come before what is there to read: after a stop of ours the answer may be. See Deadline.
    setImmediate(() => {
      const text = this.#heard
        ? `the ${command} was not over within ${ms} ms; what it has begun goes on: see fdpass status`
        : `whoever listens on ${address} has not answered within ${ms} ms: it is stopped, or too busy`;
      this.#reject(new FdpassError('ERR_HANDOFF_TIMEOUT', text));
    });
  }
}

async function connect({ address, timeoutMs }: AskOptions, end: number): Promise<UnixSeqpacket> {
  const silence = performance.now() + SILENCE_MS;
  for (;;) {
    const socket = new UnixSeqpacket(CONTROL_OPTIONS);
    try {
      socket.connect(address);
      requireOurs(socket, address);
      return socket;
    } catch (error) {
      void socket.close();
      if (!hasCode(error, 'EAGAIN')) throw explained(error as Error, address);
      if (performance.now() > Math.min(silence, end)) {
        const ms = end < silence ? timeoutMs : SILENCE_MS;
        const text = `whoever listens on ${address} has not accepted within ${ms} ms: it is stopped, or too busy`;
        throw new FdpassError('ERR_HANDOFF_TIMEOUT', text, { cause: error });
      }
    }
    await pauseBeforeRetry();
  }
}

/** What a stranger says about a service is worth nothing. */
function requireOurs(socket: UnixSeqpacket, address: UnixAddress): void {
  const { pid, uid } = socket.peerCredentials;
  const me = process.geteuid?.();
  if (uid === 0 || uid === me) return;
  throw new FdpassError(
    'ERR_HANDOFF_UNTRUSTED_PEER',
    `${address} is of process ${pid} of uid ${uid}, and this is uid ${me}: run the command as that user`,
  );
}

function explained(cause: Error, address: UnixAddress): Error {
  if (hasCode(cause, 'ENOENT', 'ECONNREFUSED')) {
    const text = `nobody listens on ${address}${whatIsLeft(address)}`;
    return new FdpassError('ERR_HANDOFF_NOBODY', text, { cause });
  }
  if (hasCode(cause, 'EACCES'))
    cause.message += `: uid ${process.geteuid?.()} may not connect; run the command as the user of the service`;
  if (hasCode(cause, 'EPROTOTYPE')) cause.message += ': that is a socket of another type, no fdpass service';
  return cause;
}

const WHERE_TO_LOOK = "; 'fdpass ls' shows what there is";
const WHO_TO_BE =
  "; 'fdpass ps' shows what runs. A service of another user, or with another XDG_RUNTIME_DIR, is found with these only";

/** connect(2) refuses a file that is no socket as it does a socket without an owner. */
function whatIsLeft(address: UnixAddress): string {
  if (address.kind !== 'path') return WHERE_TO_LOOK;
  const status = lstatSync(pathOf(address), { throwIfNoEntry: false });
  if (status === undefined)
    return path.dirname(`${address}`) === runtimeDirectory() ? WHO_TO_BE : WHERE_TO_LOOK;
  if (status.isSocket()) return '; the file is a leftover';
  return ': it is no socket; give the address of a service, or move the file away if one is to start there';
}

function refusal(address: UnixAddress, payload: Record<string, unknown>): FdpassError {
  const { versions, reason, why } = readRefusal(payload);
  if (why === 'user') return new FdpassError('ERR_HANDOFF_REFUSED', `whoever serves refuses: ${reason}`);
  return new FdpassError(
    'ERR_HANDOFF_VERSION',
    `the process on ${address} knows no commands, its fdpass is too old (protocol ${versions.join('-')}): replace it ` +
      'once by starting the new program, or as it was done so far',
  );
}

function nonsense(address: UnixAddress, reason: string): FdpassError {
  return new FdpassError('ERR_HANDOFF_PROTOCOL', `what ${address} answers makes no sense: ${reason}`);
}
