// ReuseportGroup: sockets of one port, one for each place of the pool, between which the kernel spreads new connections. SO_REUSEPORT, socket(7)
import type { Fd } from '../fd/fd';
import { binding } from '../native/binding';

export class ReuseportGroup {
  /** In the order of listen(2), by which the kernel numbers them. */
  readonly #members: { slot: number; fd: Fd }[] = [];
  #told = '';

  /** Behind listen(2). The descriptor is lent, as long as the group is used. */
  add(slot: number, fd: Fd): void {
    this.#members.push({ slot, fd });
  }

  /** New connections go to those places only, evenly. To all, if there is none: they wait there. */
  spreadOver(slots: ReadonlySet<number>): void {
    const [first] = this.#members;
    if (first === undefined || first.fd.fd === -1 || this.#members.length < 2) return; // -1: the service has ended
    const some = this.#members.some(({ slot }) => slots.has(slot));
    const shares = Uint32Array.from(this.#members, ({ slot }) => (!some || slots.has(slot) ? 1 : 0));
    if (shares.join() === this.#told) return;
    binding.shareReuseport(first.fd.fd, shares);
    this.#told = shares.join();
  }
}
