// Delivery: connections on their way to the workers that were chosen for them, one message for many.
import { binding } from '../../native/binding';
import { MAX_CONNECTIONS_PER_MESSAGE, type Target } from './balancer';
import type { Choose } from './choose';

/** After a refusal it tries again by itself, should nobody say that there is room. */
const RETRY_MS = 100;

export interface DeliveryOptions {
  message: Buffer;
  choose: Choose;
  /** Whether to take more: some worker has room, and nothing waits for one. */
  onRoom(room: boolean): void;
  /** A target has thrown: it is taken for full. */
  onError(error: Error): void;
}

/** Connections with the hashes they were chosen by: two arrays, so that there is no object for each. */
class Batch {
  readonly fds: number[] = [];
  readonly hashes: number[] = [];

  add(fd: number, hash: number): void {
    this.fds.push(fd);
    this.hashes.push(hash);
  }

  closeAll(): void {
    const numbers = new Int32Array(this.fds.length);
    for (let index = 0; index < numbers.length; index++) numbers[index] = this.fds[index] as number;
    binding.closeFds(numbers, numbers.length);
  }
}

/**
 * Owns what take() is given until it is sent; from there the kernel does. Of what no worker takes it holds all: whoever calls take()
 * stops when there is no room.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  #targets: readonly Target[] = [];
  #board: { workers: number[]; loads: number[]; full: boolean[] } = { workers: [], loads: [], full: [] };
  /**
   * What each target is sent next. Empty between the calls from outside. What is being sent is not here: a target may call
   * whoever calls us.
   */
  #next: Batch[] = [];
  /** For which there is no room. */
  #held = new Batch();
  #room = false;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  get held(): number {
    return this.#held.fds.length;
  }

  setTargets(targets: readonly Target[]): void {
    for (const batch of this.#next) this.#hold(batch);
    this.#targets = [...targets];
    this.#board = {
      workers: targets.map(({ worker }) => worker),
      loads: targets.map(() => 0),
      full: targets.map(() => false),
    };
    this.#next = targets.map(() => new Batch());
    this.#tryHeld();
  }

  /** Whoever was full may have room. */
  resume(): void {
    if (!this.#board.full.includes(true)) return;
    this.#board.full.fill(false);
    this.#tryHeld();
  }

  /** Before take(): asks the workers how loaded they are. */
  begin(): void {
    const { loads } = this.#board;
    for (let index = 0; index < loads.length; index++) loads[index] = (this.#targets[index] as Target).open;
  }

  /** Owns the number. */
  take(fd: number, hash: number): void {
    const index = this.#options.choose(this.#board, hash);
    const batch = this.#next[index];
    if (batch === undefined) {
      if (this.#closed) binding.closeFd(fd);
      else this.#held.add(fd, hash);
      return;
    }
    (this.#board.loads[index] as number)++;
    batch.add(fd, hash);
    if (batch.fds.length === MAX_CONNECTIONS_PER_MESSAGE) this.#send(index);
  }

  /** Behind the last take(): sends them. */
  flush(): void {
    // What one refuses goes to others, which may stand before it: again, until each has taken or refused.
    for (let again = true; again; ) {
      again = false;
      for (let index = 0; index < this.#next.length; index++) {
        if ((this.#next[index] as Batch).fds.length > 0 && !this.#send(index)) again = true;
      }
    }
    this.#tellRoom();
  }

  /** Closes what it holds. */
  close(): void {
    this.#closed = true;
    this.setTargets([]);
    clearTimeout(this.#retry);
    this.#held.closeAll();
    this.#held = new Batch();
  }

  #hold({ fds, hashes }: Batch): void {
    for (let i = 0; i < fds.length; i++) this.#held.add(fds[i] as number, hashes[i] as number);
  }

  #tryHeld(): void {
    const held = this.#held;
    this.#held = new Batch();
    this.begin();
    this.#takeAll(held);
    this.flush();
  }

  #takeAll({ fds, hashes }: Batch): void {
    for (let i = 0; i < fds.length; i++) this.take(fds[i] as number, hashes[i] as number);
  }

  #send(index: number): boolean {
    const target = this.#targets[index] as Target;
    const batch = this.#next[index] as Batch;
    this.#next[index] = new Batch();
    if (this.#trySend(target, batch.fds)) {
      batch.closeAll();
      return true;
    }
    if (this.#targets[index] === target) this.#board.full[index] = true;
    this.#takeAll(batch);
    return false;
  }

  #trySend(target: Target, fds: readonly number[]): boolean {
    try {
      return target.trySend(this.#options.message, fds);
    } catch (error) {
      this.#options.onError(error as Error); // ETOOMANYREFS: too many are on their way
      return false;
    }
  }

  #tellRoom(): void {
    const { full } = this.#board;
    const room = this.#held.fds.length === 0 && full.includes(false);
    if (full.includes(true)) this.#retryLater();
    if (room === this.#room) return;
    this.#room = room;
    this.#options.onRoom(room);
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.resume();
    }, RETRY_MS).unref();
  }
}
