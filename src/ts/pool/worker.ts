// Worker: one worker as its primary sees it, from its start to its end.
import { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';
import { descendsFrom } from '../handoff/life';
import type { WorkerFigures } from '../handoff/pool-status';
import type { ProcessSeam } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import type { HandoffTimeouts } from '../handoff/timeouts';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { UnixStream } from '../sockets/stream';
import { Link } from '../worker/link';
import {
  commonLinkVersion,
  LINK_VERSIONS,
  type OutputStream,
  type PrimaryMessage,
  readWorkerMessage,
  type WorkerMessage,
} from '../worker/messages';
import { Heartbeat } from './heartbeat';
import type { Grant } from './listeners';
import { Load } from './load';
import type { HeartbeatOptions } from './options';
import type { Running, WorkerEnd } from './start-worker';

export type WorkerLink = Link<PrimaryMessage, WorkerMessage>;

const OUTPUT: readonly OutputStream[] = ['stdout', 'stderr'];

/**
 * 'released': it has been told that another primary comes, and serves. 'adrift': its link is gone, and it has not ended
 * yet.
 */
export type WorkerPhase = 'starting' | 'probation' | 'serving' | 'released' | 'leaving' | 'adrift' | 'ended';

/** Which worker of the pool. */
export interface Identity {
  /** The number of its place. */
  worker: number;
  /** Counts the workers that were in this place. */
  generation: number;
}

/** Holds this process as long as it is open, unless it is unref'd; that of a thread does not. */
type Pipe = Readable & { unref?(): unknown };

export interface WorkerContext {
  seam: ProcessSeam;
  timeouts: HandoffTimeouts;
  probationMs: number;
  heartbeat: Required<HeartbeatOptions>;
  /** What it prints comes here: one that comes back needs new pipes. */
  seesOutput: boolean;
  /** Its program need not know of pools: fdpass/register does. */
  registered: boolean;
  /** It wants a listener: answer() or refuse(). */
  listen(message: WorkerMessage & { type: 'listen' }): void;
  /** Its program has closed its server of that name. */
  unlisten(name: string): void;
  /** It serves from here, or no more: nothing that was said to it after this has been sent yet. */
  changed(): void;
  /** It may have room for more connections. */
  room(): void;
  /** Its program wants the pool's workers replaced. */
  roll(): Promise<unknown>;
}

export interface WorkerEvents {
  /** It has called ready(). */
  probation: [];
  /** Its probation is over. */
  serving: [];
  /** It ends, and nobody has told it to: by itself, or because it is no good. */
  leaving: [];
  output: [stream: OutputStream, chunk: Buffer];
}

/** From the end of a worker to the end of its output. */
export const LAST_LINES_MS = 200;

/** From the end of a link to the end of its process, before that is helped. */
const LAST_WORDS_MS = 1_000;

/** Answers: what a moment's load takes is free again by then. */
const MAX_EXHAUSTED = 3;

const NO_DESCRIPTORS = 'it has no free descriptors: it leaks them, or its limit is too low (ulimit -n)';

/** Kept of what a worker prints to stderr while it boots. */
const STDERR_TAIL_BYTES = 8 * 1024;

export class Worker extends EventEmitter<WorkerEvents> {
  readonly identity: Identity;
  readonly startedAt: number;
  /** Resolves, never rejects, when its process or thread has ended. */
  readonly ended: Promise<void>;
  readonly #context: WorkerContext;
  readonly #running: Running;
  /** How the connections get there that this process passes. */
  readonly load: Load;
  #link: WorkerLink | undefined;
  readonly #heartbeat: Heartbeat;
  #phase: WorkerPhase = 'starting';
  readonly #handlers = {
    onMessage: (message: WorkerMessage, fds: Fd[]) => this.#onMessage(message, fds),
    onGarbage: (reason: string) => this.#lose(`what it says makes no sense: ${reason}`),
    onEnd: () => this.#lose(undefined),
  };
  #heard = false;
  /** One that another primary has started is older than it is here. */
  #bornAt: number;
  /** Answers in a row that it has no free descriptor. */
  #exhausted = 0;
  #pid: number;
  #figures: WorkerFigures = {};
  #readyAt: number | undefined;
  /** Why it ends, if we know it before it has. */
  #fault: string | undefined;
  #ownEnd: WorkerEnd | undefined;
  /** Of the last listen() that came to nothing. */
  #listenError: string | undefined;
  #dismissed = false;
  /** Kept until it is confirmed, or has ended. */
  #stderr = Buffer.alloc(0);
  #confirmed = false;
  /** Where what it prints comes from, one after the other. */
  readonly #pipes: Pipe[] = [];
  #deadline = () => {};
  #resolveEnded: () => void = () => {};

  /** One that this process has just started, or that another one had: begin() or comeBack(). */
  constructor(identity: Identity, running: Running, context: WorkerContext) {
    super();
    this.identity = identity;
    this.startedAt = context.seam.now();
    this.#bornAt = this.startedAt;
    this.#context = context;
    this.#running = running;
    this.#pid = running.pid;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.load = new Load(identity.worker, () => context.room());
    this.#heartbeat = new Heartbeat(context.seam, context.heartbeat, {
      ask: (sequence) => this.#send({ type: 'ping', sequence }),
      stuck: (ms) => this.kill(`its event loop was stuck for ${ms} ms`),
    });
    void running.ended.then((end) => this.#onEnded(end));
    for (const [stream, from] of Object.entries(running.output)) this.#read(stream as OutputStream, from);
  }

  /** It boots. Takes the socket over. */
  begin(socket: UnixSeqpacket): void {
    this.#connect(new Link(socket, readWorkerMessage, this.#handlers));
    this.#limitBoot(this.#context.timeouts.warm, '');
  }

  /** It has found this primary, and serves. Takes the link over. */
  comeBack(link: WorkerLink, hello: WorkerMessage & { type: 'hello' }): void {
    this.#deadline();
    this.#phase = 'starting';
    link.hear(this.#handlers);
    this.#connect(link);
    this.#heard = true;
    this.#readyAt ??= this.#context.seam.now();
    if (!this.#onHello(hello)) return;
    this.#heartbeat.start();
    this.#confirm();
  }

  /**
   * Leaves it to another primary, for which it looks. It may come back.
   * @returns false: it cannot be left to anybody
   */
  release(): boolean {
    if (!this.serves || this.#running.threadId !== undefined) return false;
    this.#deadline();
    this.#heartbeat.stop();
    this.#phase = 'released';
    this.#context.changed();
    this.#send({ type: 'release' });
    this.#disconnect();
    return true;
  }

  /** Another primary has it for good: it does not keep this process. */
  leave(): void {
    this.#running.leave();
  }

  /** It takes new connections. */
  get serves(): boolean {
    return this.#phase === 'probation' || this.#phase === 'serving';
  }

  get phase(): WorkerPhase {
    return this.#phase;
  }

  get pid(): number {
    return this.#pid;
  }

  get threadId(): number | undefined {
    return this.#running.threadId;
  }

  /** As it has told last. */
  get figures(): WorkerFigures {
    return { ...this.#figures, ageMs: this.#context.seam.now() - this.#bornAt };
  }

  /** Milliseconds from its ready(). */
  get servedMs(): number {
    return this.#readyAt === undefined ? 0 : this.#context.seam.now() - this.#readyAt;
  }

  get startToReadyMs(): number {
    return this.#readyAt === undefined ? 0 : this.#readyAt - this.startedAt;
  }

  /** The pool has told it to end. */
  get dismissed(): boolean {
    return this.#dismissed;
  }

  /** Why it has ended, or does. */
  get fault(): string {
    return this.#fault ?? 'it has ended';
  }

  /** Undefined: it has not ended, or this process has made it. */
  get ownEnd(): WorkerEnd | undefined {
    return this.#ownEnd;
  }

  /** What its last listen() was refused with. */
  get listenError(): string | undefined {
    return this.#listenError;
  }

  /** For people. */
  get called(): string {
    const { threadId } = this;
    return `worker ${this.identity.worker} (${threadId === undefined ? `pid ${this.#pid}` : `thread ${threadId}`})`;
  }

  /** Of its boot, if this process sees what it prints. */
  get stderrTail(): string {
    return this.#stderr.toString();
  }

  /** Answers 'listen'. The descriptor is lent. */
  answer(request: number, { fd, ...how }: Grant): void {
    this.#send({ type: 'listener', request, ...how }, [fd]);
  }

  refuse(request: number, error: NodeJS.ErrnoException & { address?: string }): void {
    const { code = 'ERR_HANDOFF_ABORTED', message, errno, syscall, address } = error;
    this.#listenError = message;
    const details = {
      ...(errno === undefined ? {} : { errno }),
      ...(syscall === undefined ? {} : { syscall }),
      ...(address === undefined ? {} : { address }),
    };
    this.#send({ type: 'refused', request, code, message, ...details });
  }

  /** Takes nothing new from here and ends when its connections have; helped on its way if it takes too long. */
  stop(receipt?: Receipt): void {
    if (this.#phase === 'leaving' || this.#phase === 'ended') return;
    const { drain, exit } = this.#context.timeouts;
    const wasReady = this.#readyAt !== undefined;
    this.#dismissed = true;
    this.#phase = 'leaving';
    this.#heartbeat.stop();
    this.#context.changed(); // behind the last connection that is passed
    this.#send({ type: 'stop', drainMs: drain, ...(receipt === undefined ? {} : { receipt }) });
    // One that has not said a word yet may know nothing of us, and one that was released does not listen.
    if (!this.#heard || !this.#link?.open) this.#running.kill('SIGTERM');
    this.#killAfter(wasReady ? drain + 2 * exit : exit, 'it did not end when it was told to');
  }

  /** @param fault why */
  kill(fault: string): void {
    if (this.#phase === 'ended') return;
    this.#fault ??= fault;
    this.#running.kill('SIGKILL');
  }

  #onMessage(message: WorkerMessage, fds: Fd[]): void {
    Fd.closeAll(fds); // those of hello are read by whoever has met it
    this.#heard = true;
    switch (message.type) {
      case 'hello':
        this.#onHello(message);
        break;
      case 'listen':
        this.#context.listen(message);
        break;
      case 'unlisten':
        this.#context.unlisten(message.name);
        break;
      case 'load':
        this.load.report(message.received, message.open);
        break;
      case 'ready':
        if (this.#phase === 'starting') this.#onReady();
        break;
      case 'extend':
        if (this.#phase === 'starting') this.#limitBoot(message.ms, ', which it had asked for');
        break;
      case 'roll':
        this.#context.roll().catch((error: NodeJS.ErrnoException) => {
          const { code = 'ERR_HANDOFF_ABORTED', message: reason } = error;
          this.#send({ type: 'unrolled', code, reason });
        });
        break;
      case 'fail':
        this.#onLeaving(`it has given up: ${message.reason}`);
        break;
      case 'pong':
        this.#figures = message.figures;
        this.#heartbeat.answered(message.sequence);
        this.#bornAt = Math.min(this.#bornAt, this.#context.seam.now() - (message.figures.ageMs ?? 0));
        this.#exhausted = message.exhausted ? this.#exhausted + 1 : 0;
        if (message.unwell !== undefined && this.#phase === 'probation') this.#onLeaving(message.unwell);
        else if (this.#exhausted === MAX_EXHAUSTED) this.#onLeaving(NO_DESCRIPTORS);
        break;
      case 'leaving':
        this.#onLeaving('it has left by itself');
        break;
    }
  }

  /** @returns false: we do not understand each other. One that serves lets its connections end */
  #onHello({ versions, pid, back }: WorkerMessage & { type: 'hello' }): boolean {
    const version = commonLinkVersion(versions);
    if (version === undefined) {
      const [theirs, ours] = [versions, LINK_VERSIONS].map((range) => range.join(' to '));
      const fault = `its fdpass speaks versions ${theirs} of the protocol of pools, and this one ${ours}`;
      if (back === undefined) this.kill(fault);
      else this.#onLeaving(fault);
      return false;
    }
    // A wrapper may have started the program: that one is the worker, and the one that is told to end.
    if (this.#running.threadId === undefined && descendsFrom(pid, this.#running.pid)) this.#pid = pid;
    const { worker, generation } = this.identity;
    const welcome = { type: 'welcome', version, worker, generation, pid: process.pid } as const;
    if (back === undefined || !this.#context.seesOutput) this.#send(welcome);
    else this.#sendWithPipes(welcome);
    return true;
  }

  /** What it has printed to is another primary's, or broken. */
  #sendWithPipes(welcome: PrimaryMessage & { type: 'welcome' }): void {
    const theirs: Fd[] = [];
    try {
      for (const stream of OUTPUT) {
        theirs.push(this.#openOutput(stream));
      }
    } catch {
      // No descriptors: it serves, and what it prints is lost.
    }
    this.#send({ ...welcome, output: OUTPUT.slice(0, theirs.length) }, theirs);
    Fd.closeAll(theirs);
  }

  /** @returns where it is to print */
  #openOutput(stream: OutputStream): Fd {
    const [ours, other] = UnixStream.pair();
    try {
      const fd = Fd.dup(other);
      this.#read(stream, ours);
      return fd;
    } catch (error) {
      ours.destroy();
      throw error;
    } finally {
      other.destroy();
    }
  }

  #onReady(): void {
    const { seam, probationMs } = this.#context;
    this.#deadline();
    this.#readyAt = seam.now();
    this.#heartbeat.start();
    this.#phase = 'probation';
    this.#context.changed();
    this.emit('probation');
    this.#deadline = seam.setTimer(probationMs, () => this.#confirm(), { hold: true });
  }

  #confirm(): void {
    this.#send({ type: 'confirmed' });
    this.#confirmed = true;
    this.#stderr = Buffer.alloc(0);
    this.#phase = 'serving';
    this.#context.changed();
    this.emit('serving');
  }

  /** It takes nothing new from here, and ends when its connections have. The answer is 'stop': from here nothing comes for it. */
  #onLeaving(fault: string): void {
    if (this.#phase === 'leaving') return;
    const { drain, exit } = this.#context.timeouts;
    this.#heartbeat.stop();
    this.#fault ??= fault;
    this.#phase = 'leaving';
    this.#context.changed();
    this.#send({ type: 'stop', drainMs: drain });
    this.#killAfter(drain + 2 * exit, fault);
    this.emit('leaving');
  }

  /** Nothing can be said to it any more: it dies, or is ended. @param fault undefined: it has closed the link */
  #lose(fault: string | undefined): void {
    if (fault !== undefined) this.#fault ??= fault;
    this.#disconnect();
    this.#heartbeat.stop();
    if (this.#phase === 'ended' || this.#phase === 'leaving') return;
    this.#deadline();
    this.#phase = 'adrift';
    this.#context.changed();
    const { seam, timeouts } = this.#context;
    this.#deadline = seam.setTimer(LAST_WORDS_MS, () => {
      this.#fault ??= 'it has closed its link to the primary';
      this.#running.kill('SIGTERM');
      this.#killAfter(timeouts.drain, this.#fault);
    });
  }

  async #onEnded(end: WorkerEnd): Promise<void> {
    // Its last words are in the link: the loop looks at that between two turns.
    await nextTurn();
    await nextTurn();
    if (end.error !== undefined && this.threadId !== undefined) this.#print('stderr', stackOf(end.error));
    if (this.#fault === undefined) this.#ownEnd = end;
    this.#deadline();
    this.#heartbeat.stop();
    this.#disconnect();
    this.#fault ??= this.#faultOf(end);
    this.#phase = 'ended';
    this.#context.changed();
    this.#resolveEnded();
    // What it has started, and left behind, may have its output open for ever.
    this.#context.seam.setTimer(LAST_LINES_MS, () => {
      for (const pipe of this.#pipes) pipe.unref?.();
    });
  }

  #faultOf(end: WorkerEnd): string {
    const fault = faultOf(end, this.threadId !== undefined);
    if (this.#readyAt !== undefined) return fault;
    if (this.#listenError !== undefined) return `${fault}: it could not listen: ${this.#listenError}`;
    const knowsNothing = end.code === 0 && !this.#heard && !this.#context.registered;
    return knowsNothing ? `${fault}${NOT_HEARD}` : fault;
  }

  #connect(link: WorkerLink): void {
    this.#link = link;
    this.load.carryBy(link);
  }

  #disconnect(): void {
    this.load.carryBy(undefined);
    this.#link?.close();
  }

  #send(message: PrimaryMessage, fds: readonly FdLike[] = []): void {
    this.#link?.send(message, fds);
  }

  #limitBoot(ms: number, more: string): void {
    this.#deadline();
    this.#deadline = this.#context.seam.setTimer(
      ms,
      () => this.kill(`it was not ready within ${ms} ms${more}${this.#heard ? '' : NOT_HEARD}`),
      { hold: true },
    );
  }

  #killAfter(ms: number, fault: string): void {
    this.#deadline();
    this.#deadline = this.#context.seam.setTimer(ms, () => this.kill(`${fault} within ${ms} ms`), {
      hold: true,
    });
  }

  #read(stream: OutputStream, from: Pipe): void {
    this.#pipes.push(from);
    from.on('data', (chunk: Buffer) => this.#print(stream, chunk));
    from.on('error', () => {}); // it has ended
  }

  #print(stream: OutputStream, chunk: Buffer): void {
    // After its link has ended, too: its last words are why.
    if (stream === 'stderr' && !this.#confirmed)
      this.#stderr = Buffer.concat([this.#stderr, chunk]).subarray(-STDERR_TAIL_BYTES);
    if (this.#context.seesOutput) this.emit('output', stream, chunk);
    else process[stream].write(chunk);
  }
}

/** Of one that another process has started there is nothing to be known. */
function faultOf({ code, signal, error }: WorkerEnd, isThread: boolean): string {
  if (error !== undefined)
    return `${isThread ? 'an error was not caught' : 'it could not be started'}: ${error.message}`;
  if (code === null && signal === null) return 'it has ended';
  return `it has ended with ${signal ?? `exit code ${code}`}`;
}

/** Node prints what ends a process, and of a thread leaves that to whoever has started it. */
function stackOf(error: Error): Buffer {
  return Buffer.from(`${error.stack ?? error.message}\n`);
}

const NOT_HEARD =
  ', and has not said a word: does it call createHandoff(), or listen() with the option register, and is it started directly (by node, not by npm)?';
