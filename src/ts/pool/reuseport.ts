// ReuseportGroup: sockets of one port, one for each place of the pool, between which the kernel spreads new connections. SO_REUSEPORT, socket(7)
import type { Fd } from '../fd/fd';
import { binding } from '../native/binding';

export class ReuseportGroup {
  /** In the order of listen(2), by which the kernel numbers them. */
  readonly #members: { slot: number; fd: Fd }[] = [];
  #orderKnown = true;
  #told = '';

  /**
   * Behind listen(2). The descriptor is lent, as long as the group is used.
   * @param inOrder false: nobody knows when it was, before others of the group or behind them
   */
  add(slot: number, fd: Fd, { inOrder }: { inOrder: boolean }): void {
    this.#members.push({ slot, fd });
    this.#orderKnown &&= inOrder;
  }

  /**
   * New connections go to those places only, evenly. To all, if there is none, where they wait; or if the kernel's numbers are not
   * known.
   */
  spreadOver(slots: ReadonlySet<number>): void {
    const [first] = this.#members;
    if (first === undefined || first.fd.fd === -1 || this.#members.length < 2) return; // -1: the service has ended
    const some = this.#orderKnown && this.#members.some(({ slot }) => slots.has(slot));
    const shares = Uint32Array.from(this.#members, ({ slot }) => (!some || slots.has(slot) ? 1 : 0));
    if (shares.join() === this.#told) return;
    binding.shareReuseport(first.fd.fd, shares);
    this.#told = shares.join();
  }
}
