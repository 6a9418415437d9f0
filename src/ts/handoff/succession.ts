// Succession: drives the successor's machine over the connection to the holder.
import { FdpassError } from '../base/errors';
import { Fd } from '../fd/fd';
import { passRights } from '../sockets/passing';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { HandoffBusyError } from './busy';
import { ControlChannel } from './channel';
import { Deadline } from './deadline';
import type { Frame } from './frame';
import { type Life, seek } from './life';
import {
  type Accepting,
  type Bye,
  type Figures,
  type GenerationStatus,
  type Offer,
  type Probation,
  readNames,
} from './payloads';
import type { ProcessSeam } from './process';
import type { Registry } from './registry';
import {
  SUCCESSOR_START,
  type SuccessorCommand,
  type SuccessorEvent,
  type SuccessorState,
  stepSuccessor,
} from './successor';
import type { HandoffTimeouts } from './timeouts';

export interface SuccessionHooks {
  seam: ProcessSeam;
  timeouts: HandoffTimeouts;
  registry: Registry;
  probation: Probation;
  stateOptional: boolean;
  /** This process is the primary of a pool. */
  pool: boolean;
  /** Starts accepting on every listener. */
  accept(): Promise<void>;
  /** The predecessor has stopped accepting and stands by. */
  serve(): void;
  figures(): Figures;
  /** The connection is over, and perhaps the predecessor dead. */
  parted(): void;
  /** Resolves if all is well; rejects with what is not. */
  check(): Promise<void>;
  /** The lease is ours. With the receipt, as the predecessor sent it. */
  own(receipt: unknown): void;
  /** The predecessor has ended; without a word it died. */
  gone(bye: Bye | undefined): void;
  /** Give up what was inherited; the predecessor serves on. */
  fail(error: FdpassError): void;
}

export class Succession {
  readonly #hooks: SuccessionHooks;
  readonly #socket: UnixSeqpacket;
  readonly #channel: ControlChannel;
  #state: SuccessorState = SUCCESSOR_START;
  #offer: Offer | undefined;
  #received = 0;
  #generations: readonly GenerationStatus[] = [];
  #failure: FdpassError | undefined;
  readonly #deadline: Deadline;
  readonly #lifeOfPeer: () => Life;
  /** Who waits for the predecessor to take the service back. */
  readonly #givingBack: { resolve(): void; reject(error: Error): void }[] = [];
  /** Who waits for the next milestone: the inheritance, then the takeover. */
  #waiting: { resolve(): void; reject(error: Error): void } | undefined;

  /** Takes the socket over. */
  constructor(socket: UnixSeqpacket, txn: string, hooks: SuccessionHooks) {
    this.#hooks = hooks;
    this.#socket = socket;
    this.#lifeOfPeer = hooks.seam.remember(socket.peerCredentials.pid);
    this.#admitDescriptors();
    this.#deadline = new Deadline(hooks.seam, () => this.#dispatch({ type: 'timeout' }));
    this.#channel = new ControlChannel(socket, txn, {
      onFrame: (frame, fds) => this.#onFrame(frame, fds),
      onGarbage: (reason) => this.#dispatch({ type: 'garbage', reason }),
      onEnd: () => this.#dispatch({ type: 'end' }),
    });
  }

  /**
   * Resolves when every listener of the holder is in the registry.
   * @throws ERR_HANDOFF_BUSY, ERR_HANDOFF_HOLDER_GONE, ERR_HANDOFF_VERSION, ERR_HANDOFF_PROTOCOL, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_ABORTED
   */
  async inherit(): Promise<Offer> {
    await this.#milestone({ type: 'start' });
    return this.#offer as Offer;
  }

  /** Resolves when this process serves alone, on probation or for good. @throws ERR_HANDOFF_ABORTED, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL */
  ready(): Promise<void> {
    return this.#milestone({ type: 'ready' });
  }

  /** The holder and those before it, as it has told last. */
  get generations(): readonly GenerationStatus[] {
    return this.#generations;
  }

  /** The holder waits `ms` more from here. */
  extend(ms: number): void {
    this.#dispatch({ type: 'extend', ms });
  }

  giveUp(reason: string): void {
    this.#dispatch({ type: 'giveUp', reason });
  }

  /**
   * Gives the service back, on probation. Resolves when the predecessor accepts again.
   * @throws ERR_HANDOFF_ALONE if it is gone: this process serves on, and for good;
   * ERR_HANDOFF_TIMEOUT if it is silent: this process serves on until it answers
   */
  giveBack(reason: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#givingBack.push({ resolve, reject });
      this.#dispatch({ type: 'giveUp', reason });
    });
  }

  /** This process has been superseded, and so have `behind` - 1 after it. */
  hurry(behind: number): void {
    this.#dispatch({ type: 'hurry', behind });
  }

  // The channel holds the process only while somebody waits for it: a program that breaks while it boots
  // ends at once, and the holder sees that.
  #milestone(event: SuccessorEvent): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#waiting = { resolve, reject };
      this.#channel.ref();
      this.#dispatch(event);
    }).finally(() => this.#channel.unref());
  }

  #onFrame(frame: Frame, fds: Fd[]): void {
    if (frame.type === 'FDS') {
      try {
        this.#adopt(readNames(frame.payload), fds);
      } catch (error) {
        this.#dispatch({ type: 'garbage', reason: (error as Error).message });
        return;
      } finally {
        // What the registry has taken is its own; the rest is nobody's.
        Fd.closeAll(fds);
      }
    }
    this.#dispatch({ type: 'frame', frame });
  }

  #adopt(names: string[], fds: Fd[]): void {
    if (this.#state.name !== 'fds') throw new Error('descriptors came that nobody awaits');
    const entries = this.#state.listeners.slice(this.#received, this.#received + names.length);
    if (entries.length !== fds.length || names.length !== fds.length) {
      throw new Error(`${fds.length} descriptors came for ${names.length} listeners`);
    }
    for (const entry of entries) this.#hooks.registry.inherit(entry, fds.shift() as Fd);
    this.#received += names.length;
  }

  // At any other time the kernel tells whoever sends some EPERM; before Linux 6.16 the channel refuses them.
  #admitDescriptors(): void {
    const { fd } = this.#socket;
    if (fd !== -1) passRights(fd, this.#state.name === 'fds');
  }

  #dispatch(event: SuccessorEvent): void {
    const { seam, timeouts, probation, stateOptional, pool, registry, figures } = this.#hooks;
    const accepted = (): number => registry.accepted;
    const facts = { uptimeMs: seam.uptimeMs, timeouts, probation, stateOptional, pool, accepted, figures };
    const step = stepSuccessor(this.#state, event, facts);
    this.#state = step.state;
    this.#admitDescriptors(); // before WANT asks for them
    for (const command of step.commands) this.#run(command);
  }

  #accepting(): Accepting {
    const { seam, registry } = this.#hooks;
    return { inherited: registry.inherited, bound: registry.bound, rssBytes: seam.rssBytes() };
  }

  #run(command: SuccessorCommand): void {
    switch (command.do) {
      case 'send':
        this.#channel.send(command.type, command.payload);
        break;
      case 'deadline':
        this.#deadline.set(command.ms);
        break;
      case 'offered':
        this.#offer = command.offer;
        break;
      case 'inherited':
        this.#waiting?.resolve();
        break;
      case 'accept':
        this.#hooks.accept().then(
          () => this.#dispatch({ type: 'accepting', accepting: this.#accepting() }),
          (error: Error) => this.#dispatch({ type: 'giveUp', reason: error.message }),
        );
        break;
      case 'serve':
        this.#hooks.serve();
        this.#waiting?.resolve();
        break;
      case 'check':
        this.#hooks.check().then(
          () => this.#dispatch({ type: 'healthy' }),
          (error: Error) => this.#dispatch({ type: 'giveUp', reason: error.message }),
        );
        break;
      case 'own':
        this.#hooks.own(command.receipt);
        this.#waiting?.resolve();
        for (const { reject } of this.#givingBack.splice(0)) reject(alone());
        break;
      case 'heard':
        this.#generations = command.generations;
        break;
      case 'seek':
        this.#hooks.parted();
        seek(this.#lifeOfPeer, this.#hooks, (type) => this.#dispatch({ type }));
        break;
      case 'unheard':
        for (const { reject } of this.#givingBack.splice(0)) reject(unheard());
        break;
      case 'gone':
        this.#hooks.gone(command.bye);
        break;
      case 'fail': {
        this.#failure =
          command.busy === undefined
            ? new FdpassError(command.code, command.reason)
            : new HandoffBusyError(command.busy);
        this.#hooks.fail(this.#failure);
        this.#waiting?.reject(this.#failure);
        for (const { resolve } of this.#givingBack.splice(0)) resolve();
        break;
      }
      case 'close':
        this.#channel.close();
        break;
    }
  }
}

function alone(): FdpassError {
  return new FdpassError(
    'ERR_HANDOFF_ALONE',
    'the predecessor is gone: there is nobody to give the service back to',
  );
}

function unheard(): FdpassError {
  return new FdpassError(
    'ERR_HANDOFF_TIMEOUT',
    'the predecessor does not answer; this process serves until it does',
  );
}
