// Listeners: the sockets of a pool. This process binds and keeps them and never accepts on them, so that they stay open
// whatever becomes of the workers.
import { printEndpoint } from '../fd/describe';
import type { Fd } from '../fd/fd';
import type { Bound, Place } from '../handoff/endpoint';
import type { PoolStatus } from '../handoff/pool-status';
import type { PlaceRequest } from '../worker/messages';
import { placeOf } from '../worker/place';

interface Listener {
  name: string;
  bound: Bound;
}

/** More than a program that means it asks for. */
const MAX_LISTENERS = 253;

export class Listeners {
  readonly #listeners: Listener[] = [];
  /** One at a time: of two workers that ask at once the second finds what the first has bound. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  /**
   * The socket of that name at that place, bound if there is none. Of one name there may be several: a new version of the
   * program wants it elsewhere, while workers of the old one serve.
   * @returns lent @throws TypeError, RangeError, SystemError EADDRINUSE, EACCES, ...
   */
  find(name: string, request: PlaceRequest): Promise<Fd> {
    const found = this.#turn.then(async () => this.#find(name, await placeOf(request)));
    this.#turn = found.catch(() => {});
    return found;
  }

  #find(name: string, place: Place): Fd {
    if (this.#closed) throw new Error('the pool is closed');
    const known = this.#listeners.find((one) => one.name === name && place.matches(one.bound.fd.describe()));
    if (known !== undefined) return known.bound.fd;
    if (this.#listeners.length >= MAX_LISTENERS)
      throw new Error(`a pool has at most ${MAX_LISTENERS} listeners`);
    const bound = place.bind();
    this.#listeners.push({ name, bound });
    return bound.fd;
  }

  status(): PoolStatus['listeners'] {
    return this.#listeners.map(({ name, bound }) => {
      const { local } = bound.fd.describe();
      return { name, address: local === undefined ? '' : printEndpoint(local) };
    });
  }

  /** Closes those that no worker uses any more: clients would wait for somebody who never accepts. */
  keepOnly(used: ReadonlySet<Fd>): void {
    for (const listener of this.#listeners.filter(({ bound }) => !used.has(bound.fd))) {
      this.#listeners.splice(this.#listeners.indexOf(listener), 1);
      close(listener.bound);
    }
  }

  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners.splice(0)) close(listener.bound);
  }
}

/** The file goes while its socket is open: see holdName(). */
function close({ fd, name }: Bound): void {
  name?.unlink();
  fd.close();
}
