// Bond: what ties a worker to its primary. It answers to one link at a time, and looks for the next primary when one has died.
import { FdpassError, type SystemError } from '../base/errors';
import type { UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import { requireTrusted } from '../handoff/trust';
import { UnixSeqpacket } from '../sockets/seqpacket';
import { encode, LINK_OPTIONS, Link } from './link';
import {
  type Delivery,
  type HeldListener,
  LINK_VERSIONS,
  type PlaceRequest,
  type PrimaryMessage,
  readPrimaryMessage,
  type WorkerMessage,
} from './messages';
import { putOutput } from './output';
import type { Appointment } from './post';

/** From one look for a new primary to the next. A failed connect(2) takes some microseconds. */
const LOOK_MS = 100;

/** What a worker brings to a new primary. The descriptors are lent. */
export interface Belongings {
  ready: boolean;
  listeners: HeldListener[];
  fds: readonly Fd[];
}

/** What is left of the primary's messages for the worker. */
export type Order = Exclude<PrimaryMessage, { type: 'welcome' | 'listener' | 'refused' | 'release' }>;

export interface BondHandlers {
  /** The handler owns the descriptors. */
  onOrder(order: Order, fds: Fd[]): void;
  /** There is no primary any more, or it talks nonsense. @param released it has said that another one comes */
  onOrphaned(released: boolean): void;
  /** A new primary has taken the worker over. */
  onAdopted(): void;
  belongings(): Belongings;
}

/** A listener that the primary has given; the caller owns it. */
export interface Given {
  fd: Fd;
  delivery: Delivery;
  ticketKeys: string | undefined;
}

interface Question {
  name: string;
  place: PlaceRequest;
  give(given: Given): void;
  refuse(error: Error): void;
}

type Welcome = PrimaryMessage & { type: 'welcome' };
type WorkerLink = Link<WorkerMessage, PrimaryMessage>;

export class Bond {
  readonly #pool: UnixAddress | undefined;
  readonly #handlers: BondHandlers;
  readonly #helloMs: number;
  readonly #questions = new Map<number, Question>();
  #lastRequest = 0;
  /** Who keeps the process alive by it. */
  readonly #holders = new Set<object>();
  #link: WorkerLink | undefined;
  #welcome: Welcome | undefined;
  /** Of a link that has said hello. */
  #settle: ((welcome: Welcome | undefined) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(pool: UnixAddress | undefined, handlers: BondHandlers, helloMs: number) {
    this.#pool = pool;
    this.#handlers = handlers;
    this.#helloMs = helloMs;
  }

  /** Takes the socket over. @throws ERR_HANDOFF_HOLDER_GONE: the primary is gone, or silent for `helloMs` */
  static async open({ socket, pool }: Appointment, handlers: BondHandlers, helloMs: number): Promise<Bond> {
    const bond = new Bond(pool, handlers, helloMs);
    const hello: WorkerMessage = { type: 'hello', versions: LINK_VERSIONS, pid: process.pid };
    if (await bond.#introduce(socket, hello, [])) return bond;
    throw primaryGone();
  }

  /** Its place in the pool. */
  get worker(): number {
    return this.#welcome?.worker ?? 0;
  }

  /** Counts those who have been in that place. */
  get generation(): number {
    return this.#welcome?.generation ?? 0;
  }

  /** Of the primary, or of the last one. */
  get primary(): number {
    return this.#welcome?.pid ?? 0;
  }

  /** There is a primary. */
  get connected(): boolean {
    return this.#link !== undefined && this.#settle === undefined;
  }

  /**
   * Asks for a listener.
   * @throws what listen() of a Handoff throws; ERR_HANDOFF_HOLDER_GONE: the primary is gone
   */
  ask(name: string, place: PlaceRequest): Promise<Given> {
    if (!this.connected && !this.#looks) return Promise.reject(primaryGone());
    const request = ++this.#lastRequest;
    return new Promise((give, refuse) => {
      this.#questions.set(request, { name, place, give, refuse });
      this.#holdProcess();
      this.send({ type: 'listen', request, name, place }); // or when there is a primary again
    });
  }

  /** Nobody hears it where there is no primary. The descriptors are lent. */
  send(message: WorkerMessage): void {
    if (this.connected) this.#link?.send(message);
  }

  /**
   * Now or not at all.
   * @param whenRoom called once there is room again, if it was refused for want of that
   */
  trySend(message: WorkerMessage, whenRoom: () => void): void {
    const link = this.#link;
    if (link === undefined || !this.connected) return;
    if (!link.trySend(encode(message), []) && link.open) link.onceRoom(whenRoom);
  }

  /** What comes over the link keeps the process alive, or does no more, on account of that holder. */
  hold(holder: object, ref: boolean): void {
    if (ref) this.#holders.add(holder);
    else this.#holders.delete(holder);
    this.#holdProcess();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#settle?.(undefined);
    this.#link?.close();
    this.#link = undefined;
    this.#refuseAll();
  }

  /** It serves, and looks for the next primary when there is none: that one answers what the last one has not. */
  get #looks(): boolean {
    return !this.#closed && this.#pool !== undefined && this.#handlers.belongings().ready;
  }

  /** @returns true: welcome */
  #introduce(socket: UnixSeqpacket, hello: WorkerMessage, fds: readonly Fd[]): Promise<boolean> {
    const link: WorkerLink = new Link(socket, readPrimaryMessage, {
      onMessage: (message, received) => this.#onMessage(message, received),
      onGarbage: (reason) => {
        link.send({ type: 'fail', reason: `it cannot read what the primary says: ${reason}` });
        this.#drop(link, { released: false });
      },
      onEnd: () => this.#lose(link, { released: false }),
    });
    this.#link = link;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle?.(undefined), this.#helloMs);
      if (this.#welcome !== undefined) timer.unref();
      this.#settle = (welcome) => {
        clearTimeout(timer);
        this.#settle = undefined;
        this.#welcome = welcome ?? this.#welcome;
        if (welcome === undefined) {
          link.close();
          this.#link = undefined;
        }
        this.#holdProcess();
        resolve(welcome !== undefined);
      };
      this.#holdProcess();
      link.send(hello, fds);
    });
  }

  /** The link keeps the process alive while the program waits for an answer, or listens for what comes over it. */
  #holdProcess(): void {
    const boots = this.#settle !== undefined && this.#welcome === undefined;
    if (boots || this.#questions.size + this.#holders.size > 0) this.#link?.ref();
    else this.#link?.unref();
  }

  #onMessage(message: PrimaryMessage, fds: Fd[]): void {
    switch (message.type) {
      case 'welcome':
        putOutput(message.output ?? [], fds);
        this.#settle?.(message);
        return;
      case 'release':
        Fd.closeAll(fds);
        this.#drop(this.#link as WorkerLink, { released: true });
        return;
      case 'listener':
        this.#answer(message, fds);
        return;
      case 'refused':
        Fd.closeAll(fds);
        this.#takeQuestion(message.request)?.refuse(refusal(message));
        return;
      default:
        this.#handlers.onOrder(message, fds);
    }
  }

  #answer({ request, delivery, ticketKeys }: PrimaryMessage & { type: 'listener' }, fds: Fd[]): void {
    const question = this.#takeQuestion(request);
    const [fd, ...others] = fds;
    Fd.closeAll(others);
    if (question === undefined) fd?.close();
    else if (fd === undefined) question.refuse(primaryGone());
    else question.give({ fd, delivery, ticketKeys });
  }

  #takeQuestion(request: number): Question | undefined {
    const question = this.#questions.get(request);
    this.#questions.delete(request);
    this.#holdProcess();
    return question;
  }

  #refuseAll(): void {
    const questions = [...this.#questions.values()];
    this.#questions.clear();
    for (const { refuse } of questions) refuse(primaryGone());
  }

  #drop(link: WorkerLink, how: { released: boolean }): void {
    link.close();
    this.#lose(link, how);
  }

  #lose(link: WorkerLink, { released }: { released: boolean }): void {
    if (link !== this.#link) return;
    if (this.#settle !== undefined) {
      this.#settle(undefined); // it has never been a primary of ours
      return;
    }
    this.#link = undefined;
    if (!this.#looks) this.#refuseAll();
    this.#lookLater(released ? 0 : LOOK_MS);
    this.#handlers.onOrphaned(released);
  }

  #lookLater(ms = LOOK_MS): void {
    if (this.#closed || this.#pool === undefined) return;
    this.#timer = setTimeout(() => void this.#look(this.#pool as UnixAddress), ms).unref();
  }

  async #look(pool: UnixAddress): Promise<void> {
    const socket = meet(pool);
    if (socket !== undefined) {
      const { worker, generation } = this;
      const { ready, listeners, fds } = this.#handlers.belongings();
      const back = { worker, generation, ready, listeners };
      const hello: WorkerMessage = { type: 'hello', versions: LINK_VERSIONS, pid: process.pid, back };
      if (await this.#introduce(socket, hello, fds)) {
        this.#handlers.onAdopted();
        for (const [request, { name, place }] of this.#questions)
          this.send({ type: 'listen', request, name, place });
        return;
      }
    }
    this.#lookLater();
  }
}

/** undefined: nobody is there, or nobody whom we trust. */
function meet(pool: UnixAddress): UnixSeqpacket | undefined {
  let socket: UnixSeqpacket;
  try {
    socket = new UnixSeqpacket(LINK_OPTIONS);
  } catch {
    return undefined; // no free descriptor
  }
  try {
    requireTrusted(socket.connect(pool), []);
    return socket;
  } catch {
    void socket.close();
    return undefined;
  }
}

export function primaryGone(): FdpassError {
  return new FdpassError(
    'ERR_HANDOFF_HOLDER_GONE',
    'the primary of the pool is gone, and this worker has not served yet; it should exit',
  );
}

/** As the failure would look here. */
function refusal({ code, message, errno, syscall, address }: PrimaryMessage & { type: 'refused' }): Error {
  if (errno === undefined) return new FdpassError(code as `ERR_${string}`, message);
  const error = new Error(message) as SystemError;
  return Object.assign(error, { errno, code, syscall, ...(address === undefined ? {} : { address }) });
}
