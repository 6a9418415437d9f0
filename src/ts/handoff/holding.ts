// Holding: the holder's control socket. One transaction at a time has the lease; others are told who.
import type { FdpassError } from '../base/errors';
import type { Fd } from '../fd/fd';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import type { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import type { Busy, ManifestEntry } from './payloads';
import type { ProcessSeam } from './process';
import type { Receipt } from './receipt';
import type { HandoffTimeouts } from './timeouts';
import { Transaction } from './transaction';
import { requireTrusted } from './trust';

/** Connections that have not said HELLO yet. More than this is an attack or a mistake. */
const MAX_STRANGERS = 16;

export interface HoldingHooks {
  seam: ProcessSeam;
  timeouts: HandoffTimeouts;
  generation: number;
  allow: readonly number[];
  /** False until ready(): there is nothing to hand over yet. */
  isReady(): boolean;
  manifest(): ManifestEntry[];
  lend(name: string): Fd;
  stopAccepting(): void;
  superseded(receipt: Receipt, transaction: Transaction): void;
  /** The upgrade that had the lease did not happen. */
  aborted(error: FdpassError): void;
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
  readonly #started: number;
  /** Successors that were started and given up: what a wrapper left running must not take over later. */
  readonly #calledOff = new Set<string>();
  #lease: Lease | undefined;

  /** Takes the server over. */
  constructor(server: UnixSeqpacketServer, hooks: HoldingHooks) {
    this.#hooks = hooks;
    this.#server = server.unref();
    this.#started = hooks.seam.now();
    server.on('connection', (socket: UnixSeqpacket) => this.#onConnection(socket));
    // EMFILE: an upgrade must wait, the service goes on.
    server.on('error', (error: Error) => hooks.refused(error));
  }

  /** Why no upgrade may begin now. */
  busy(): Busy | undefined {
    const { seam, isReady } = this.#hooks;
    if (this.#lease !== undefined) {
      const { pid, since, transaction } = this.#lease;
      return { pid, ageMs: seam.now() - since, state: transaction?.state ?? 'starting' };
    }
    if (isReady()) return undefined;
    return { pid: seam.pid, ageMs: seam.now() - this.#started, state: 'booting' };
  }

  /**
   * Keeps the lease for a successor that is being started.
   * @returns calls that successor off, now or whenever it speaks up; false if it has taken over
   */
  reserve(txn: string, pid: number): (reason: string) => boolean {
    const lease: Lease = { txn, pid, since: this.#hooks.seam.now(), transaction: undefined };
    this.#lease = lease;
    return (reason) => {
      if (lease.transaction?.superseded) return false;
      this.#calledOff.add(txn);
      lease.transaction?.abort(reason);
      if (this.#lease === lease) this.#lease = undefined;
      return true;
    };
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

  #onConnection(socket: UnixSeqpacket): void {
    try {
      requireTrusted(socket, this.#hooks.allow);
    } catch (error) {
      void socket.close();
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
      failed: (error) => {
        this.#strangers.delete(transaction);
        if (this.#lease?.transaction !== transaction) return;
        this.#lease = undefined;
        this.#hooks.aborted(error);
      },
    });
    this.#strangers.add(transaction);
  }
}
