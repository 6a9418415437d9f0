// Transaction: drives the holder's machine over the connection of one successor.
import { FdpassError } from '../base/errors';
import type { Fd } from '../fd/fd';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { ControlChannel } from './channel';
import type { DrainCount } from './connections';
import { Deadline } from './deadline';
import type { Frame } from './frame';
import {
  HOLDER_START,
  type HolderCommand,
  type HolderEvent,
  type HolderFacts,
  type HolderState,
  stepHolder,
} from './holder';
import { type Life, seek } from './life';
import {
  type Busy,
  type Bye,
  type Figures,
  type GenerationStatus,
  type Hello,
  isOurs,
  type ManifestEntry,
} from './payloads';
import type { ProcessSeam } from './process';
import { type Receipt, ReceiptDraft } from './receipt';
import type { HandoffTimeouts } from './timeouts';

export interface TransactionHooks {
  seam: ProcessSeam;
  timeouts: HandoffTimeouts;
  generation: number;
  successorPid: number;
  listeners(version: number, hello: Hello): ManifestEntry[];
  lend(name: string): Fd;
  /** The connection is for a command, and no transaction: whoever answers owns the channel from here. */
  command(request: Frame['payload'], channel: ControlChannel): void;
  /** It is in another state. */
  entered(): void;
  /** Connections that this process has accepted. */
  accepted(): number;
  generations(): GenerationStatus[];
  busy(txn: string): Busy | undefined;
  leased(txn: string): void;
  /** It has called extend(). */
  extended(ms: number): void;
  /** The successor has called ready(). */
  ready(): void;
  /** Stop accepting on these (undefined: on all), so that it can be undone. */
  pause(inherited: readonly string[] | undefined, transaction: Transaction): void;
  resume(): void;
  superseded(receipt: Receipt, transaction: Transaction): void;
  /** A newer process has been superseded, too, and so have `behind` in all. */
  hurry(behind: number): void;
  /** With `rolledBack` this process had paused, and accepts again. */
  failed(error: FdpassError, rolledBack: boolean): void;
}

export class Transaction {
  readonly #hooks: TransactionHooks;
  readonly #channel: ControlChannel;
  readonly #facts: HolderFacts;
  readonly #draft: ReceiptDraft;
  readonly #deadline: Deadline;
  readonly #lifeOfPeer: () => Life;
  #state: HolderState = HOLDER_START;
  #figures: Figures = {};
  /** The names that were offered. */
  #offered: string[] = [];
  #superseded = false;

  /** Takes the socket over. */
  constructor(socket: UnixSeqpacket, hooks: TransactionHooks) {
    this.#hooks = hooks;
    this.#draft = new ReceiptDraft(hooks.seam.now, HOLDER_START.name);
    this.#deadline = new Deadline(hooks.seam, () => this.#dispatch({ type: 'timeout' }));
    this.#lifeOfPeer = hooks.seam.remember(hooks.successorPid);
    const { generation, timeouts, busy, generations } = hooks;
    this.#facts = {
      pid: hooks.seam.pid,
      generation,
      timeouts,
      busy,
      generations,
      listeners: (version, hello) => this.#offer(version, hello),
      receipt: () => this.#receipt(undefined),
      inStateMs: () => this.#draft.inState,
    };
    this.#channel = new ControlChannel(socket, undefined, {
      onFrame: (frame) => this.#onFrame(frame),
      onGarbage: (reason) => this.#dispatch({ type: 'garbage', reason }),
      onEnd: () => this.#dispatch({ type: 'end', heard: !this.#channel.lost }),
    });
    this.#dispatch({ type: 'start' });
  }

  get state(): string {
    return this.#state.name;
  }

  /** How the successor is, as far as it has said so. */
  get figures(): Figures {
    return this.#figures;
  }

  /** This process has stopped accepting for the successor's sake. */
  get paused(): boolean {
    return ['probation', 'final', 'severed', 'draining'].includes(this.#state.name);
  }

  /** The successor has been told that the service is its own: there is no way back. */
  get committed(): boolean {
    return ['final', 'severed', 'draining'].includes(this.#state.name) || this.#superseded;
  }

  /** Calls it off, or rolls it back; does nothing once the successor has taken over. */
  abort(reason: string): void {
    this.#dispatch({ type: 'abort', reason });
  }

  /** Ends a probation early: this process wants to leave. */
  settle(): void {
    this.#dispatch({ type: 'settle' });
  }

  /** Ends it without a word: to the other side this process is gone. */
  drop(): void {
    this.#deadline.set(undefined);
    this.#channel.close();
  }

  /** @returns how this process ended, for the receipt */
  drained({ closed, forced }: DrainCount): Bye {
    const bye = { closed, forced, ms: this.#draft.inState };
    this.#dispatch({ type: 'drained', bye });
    return bye;
  }

  #offer(version: number, hello: Hello): ManifestEntry[] {
    const entries = this.#hooks.listeners(version, hello);
    this.#offered = entries.map(({ name }) => name).filter((name) => !isOurs(name));
    return entries;
  }

  #onFrame(frame: Frame): void {
    if (frame.type !== 'COMMAND' || this.#state.name !== 'hello') {
      this.#dispatch({ type: 'frame', frame });
      return;
    }
    this.#deadline.set(undefined);
    this.#state = { name: 'ended' };
    this.#hooks.command(frame.payload, this.#channel);
  }

  #dispatch(event: HolderEvent): void {
    const before = this.#state.name;
    const step = stepHolder(this.#state, event, this.#facts);
    this.#state = step.state;
    this.#draft.enter(step.state.name);
    for (const command of step.commands) this.#run(command);
    if (step.state.name !== before) this.#hooks.entered();
  }

  #run(command: HolderCommand): void {
    const { seam } = this.#hooks;
    switch (command.do) {
      case 'send':
        this.#channel.send(
          command.type,
          command.payload,
          command.fds?.map((name) => this.#hooks.lend(name)),
        );
        break;
      case 'deadline':
        this.#deadline.set(command.ms);
        break;
      case 'lease':
        this.#draft.started(command.hello.uptimeMs);
        this.#hooks.leased(command.txn);
        break;
      case 'extend':
        this.#hooks.extended(command.ms);
        break;
      case 'ready':
        this.#draft.ready();
        this.#hooks.ready();
        break;
      case 'pause':
        this.#channel.ref(); // without a listener nothing else may keep this process, which is still needed
        this.#draft.pausing(command.accepting, seam.rssBytes());
        this.#hooks.pause(command.accepting.inherited, this);
        this.#draft.paused();
        break;
      case 'resume':
        this.#hooks.resume();
        break;
      case 'seek':
        seek(this.#lifeOfPeer, this.#hooks, (type) => this.#dispatch({ type }));
        break;
      case 'supersede':
        this.#superseded = true;
        this.#channel.unref();
        this.#hooks.superseded(this.#receipt(command.accepted), this);
        break;
      case 'heard':
        this.#figures = command.figures;
        break;
      case 'hurry':
        this.#hooks.hurry(command.behind);
        break;
      case 'fail':
        this.#fail(command);
        break;
      case 'close':
        this.#channel.close();
        break;
    }
  }

  #fail({ code, reason, rolledBack }: HolderCommand & { do: 'fail' }): void {
    const cause = new FdpassError(code, reason);
    if (!rolledBack) this.#hooks.failed(cause, false);
    else this.#hooks.failed(new FdpassError('ERR_HANDOFF_ROLLED_BACK', reason, { cause }), true);
  }

  #receipt(acceptedBySuccessor: number | undefined): Receipt {
    const { seam, generation, successorPid, accepted } = this.#hooks;
    const parties = {
      pid: successorPid,
      generation: generation + 1,
      predecessor: { pid: seam.pid, generation },
    };
    const counts = { predecessor: accepted(), successor: acceptedBySuccessor };
    return this.#draft.receipt(parties, this.#offered, counts);
  }
}
