// Holding: the holder's control socket. One transaction at a time has the lease; others are told who.
import { FdpassError } from '../base/errors';
import type { Fd } from '../fd/fd';
import { binding } from '../native/binding';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import type { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import type { Result } from './command';
import { CommandDesk, type CommandHooks } from './command-desk';
import { encodeFrame, NO_TXN } from './frame';
import { CONTROL_BACKLOG } from './join';
import { type Busy, type GenerationStatus, type Hello, type ManifestEntry, VERSIONS } from './payloads';
import type { ProcessSeam } from './process';
import type { Receipt } from './receipt';
import type { HandoffTimeouts } from './timeouts';
import { Transaction } from './transaction';
import { requireTrusted } from './trust';
import type { CalledOff } from './upgrade';

/** Connections that have not said HELLO yet. More than this is an attack or a mistake. */
const MAX_STRANGERS = 16;

/** Why nobody may take over now. */
export type NotServing = 'booting' | 'probation' | 'rolling' | 'scaling';

export interface HoldingHooks {
  seam: ProcessSeam;
  timeouts: HandoffTimeouts;
  generation: number;
  allow: readonly number[];
  commands: CommandHooks;
  /** What this process is doing that makes an upgrade impossible; undefined: it serves. */
  notServing(): NotServing | undefined;
  manifest(version: number, hello: Hello): ManifestEntry[];
  lend(name: string): Fd;
  accepted(): number;
  generations(): GenerationStatus[];
  extended(ms: number): void;
  ready(): void;
  pause(inherited: readonly string[] | undefined, transaction: Transaction): void;
  resume(): void;
  superseded(receipt: Receipt, transaction: Transaction): void;
  hurry(behind: number): void;
  /** The upgrade that had the lease did not happen, or was taken back. */
  aborted(error: FdpassError, rolledBack: boolean): void;
  /** Somebody did not even get to ask. */
  refused(error: Error): void;
}

/** Who may hand over right now. Freed with its connection, however that ends. */
interface Lease {
  txn: string;
  pid: number;
  since: number;
  transaction: Transaction | undefined;
}

export class Holding {
  readonly #hooks: HoldingHooks;
  readonly #server: UnixSeqpacketServer;
  readonly #strangers = new Set<Transaction>();
  readonly #desk: CommandDesk;
  readonly #started: number;
  /** Successors that were started and given up: what a wrapper left running must not take over later. */
  readonly #calledOff = new Set<string>();
  #lease: Lease | undefined;

  /** Takes the server over. */
  constructor(server: UnixSeqpacketServer, hooks: HoldingHooks) {
    this.#hooks = hooks;
    this.#desk = new CommandDesk({
      ...hooks.commands,
      seam: hooks.seam,
      busy: () => this.busy(),
      callOff: (reason) => this.#abort(reason),
    });
    this.#server = server.unref();
    this.#started = hooks.seam.now();
    server.on('connection', (socket: UnixSeqpacket) => this.#onConnection(socket));
    // EMFILE: an upgrade must wait, the service goes on.
    server.on('error', (error: Error) => hooks.refused(error));
  }

  /** Why no upgrade may begin now. */
  busy(): Busy | undefined {
    const { seam, notServing } = this.#hooks;
    if (this.#lease !== undefined) {
      const { pid, since, transaction } = this.#lease;
      return { pid, ageMs: seam.now() - since, state: transaction?.state ?? 'starting' };
    }
    const state = notServing();
    return state && { pid: seam.pid, ageMs: seam.now() - this.#started, state };
  }

  /** The one that is taking over. */
  get successor(): GenerationStatus | undefined {
    if (this.#lease === undefined) return undefined;
    const { pid, since, transaction } = this.#lease;
    const ageMs = this.#hooks.seam.now() - since;
    const generation = this.#hooks.generation + 1;
    return { generation, pid, state: transaction?.state ?? 'starting', ageMs, ...transaction?.figures };
  }

  /**
   * Keeps the lease for a successor that is being started.
   * @returns calls that successor off, now or whenever it speaks up
   */
  reserve(txn: string, pid: number): (reason: string) => CalledOff {
    const lease: Lease = { txn, pid, since: this.#hooks.seam.now(), transaction: undefined };
    this.#lease = lease;
    return (reason) => this.#callOff(lease, reason);
  }

  /**
   * Whoever connects is told by SO_PEERCRED who called listen(2) last: that must be who serves, not somebody who has
   * handed the socket over long ago.
   */
  vouch(): void {
    if (this.#server.listening) binding.listen(this.#server.fd, CONTROL_BACKLOG);
  }

  /** Aborts what is going on and gives the address up. */
  async close(reason: string): Promise<void> {
    for (const stranger of this.#strangers) stranger.abort(reason);
    this.#lease?.transaction?.abort(reason);
    await this.#server.close();
  }

  /** Leaves the address to the successor. Whoever has just connected sees an end, tries again and meets it. */
  handOver(): void {
    for (const stranger of this.#strangers) stranger.drop();
    void this.#server.close({ unlink: false });
  }

  #callOff(lease: Lease, reason: string): CalledOff {
    if (lease.transaction?.committed) return 'too late';
    this.#calledOff.add(lease.txn);
    const paused = lease.transaction?.paused === true;
    lease.transaction?.abort(reason);
    if (this.#lease === lease) this.#lease = undefined;
    return paused ? 'rolled back' : 'called off';
  }

  /** Somebody else wants the upgrade to end. */
  #abort(reason: string): Result | undefined {
    const lease = this.#lease;
    if (lease === undefined) return undefined;
    const { pid, transaction } = lease;
    const state = transaction?.state ?? 'starting';
    const became = this.#callOff(lease, reason);
    if (became === 'too late')
      return { outcome: 'nothing', reason: `it is too late: process ${pid} has taken over` };
    // A transaction has told it already.
    if (transaction === undefined) this.#hooks.aborted(new FdpassError('ERR_HANDOFF_ABORTED', reason), false);
    return { outcome: 'aborted', pid, state, rolledBack: became === 'rolled back' };
  }

  #onConnection(socket: UnixSeqpacket): void {
    try {
      requireTrusted(socket, this.#hooks.allow);
    } catch (error) {
      refuse(socket);
      this.#hooks.refused(error as FdpassError);
      return;
    }
    // The oldest has had the most time: silent connections must not keep a successor out.
    const [oldest] = this.#strangers;
    if (oldest !== undefined && this.#strangers.size >= MAX_STRANGERS) {
      this.#strangers.delete(oldest);
      oldest.drop();
    }
    socket.unref();
    const { pid } = socket.peerCredentials;
    const transaction: Transaction = new Transaction(socket, {
      ...this.#hooks,
      successorPid: pid,
      listeners: this.#hooks.manifest,
      busy: (txn) => {
        if (this.#calledOff.has(txn)) return { pid, ageMs: 0, state: 'called off' };
        const reserved = this.#lease?.txn === txn && this.#lease.transaction === undefined;
        return reserved ? undefined : this.busy();
      },
      leased: (txn) => {
        this.#strangers.delete(transaction);
        // The reserved lease, if there is one: upgrade() holds on to it.
        this.#lease ??= { txn, pid, since: this.#hooks.seam.now(), transaction };
        Object.assign(this.#lease, { pid, transaction });
      },
      command: (request, channel) => {
        this.#strangers.delete(transaction);
        void this.#desk.answer(request, channel, pid);
      },
      entered: () => {
        const ours = this.#lease?.transaction === transaction;
        if (ours && transaction.state !== 'ended') this.#desk.progress();
      },
      failed: (error, rolledBack) => {
        this.#strangers.delete(transaction);
        if (this.#lease?.transaction !== transaction) return;
        this.#lease = undefined;
        this.#hooks.aborted(error, rolledBack);
      },
    });
    this.#strangers.add(transaction);
  }
}

// It has asked nothing yet, so that there is no transaction to name; it may know why it is turned away.
function refuse(socket: UnixSeqpacket): void {
  const { uid } = socket.peerCredentials;
  const reason = `uid ${uid} may not take over; add it to options.allow of the process that serves, if it may`;
  const payload = { versions: VERSIONS, reason, why: 'user' };
  const frame = encodeFrame({ type: 'REFUSED', txn: NO_TXN, sequence: 0, payload });
  socket.send(frame).then(
    () => socket.close(),
    () => socket.close(), // it did not wait for the answer
  );
}
