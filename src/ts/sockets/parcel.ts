// Parcel: what goes with the bytes of one send() on a stream, whose it is, and until when.
import { KeptAttachment, type Lent, NOTHING } from './attachment';

/** 'begun': its attachment and a part of its bytes are the kernel's. 'dropped': nothing of it will be sent. */
type ParcelState = 'waiting' | 'begun' | 'sent' | 'dropped';

/** Bytes of one send(), with an attachment that goes with the first of them, once. */
export class Parcel {
  #state: ParcelState = 'waiting';
  #lent: Lent;
  #kept: KeptAttachment | undefined;
  /** Why it was dropped. */
  failure: Error | undefined;

  constructor(lent: Lent) {
    this.#lent = lent;
  }

  get state(): ParcelState {
    return this.#state;
  }

  get attachment(): Lent {
    return this.#kept?.lend() ?? this.#lent;
  }

  /** The call that lent the descriptors returns, and the parcel may have to wait. @throws SystemError EMFILE */
  keep(): void {
    if (this.#state === 'waiting') this.#kept = KeptAttachment.of(this.#lent);
  }

  begin(): void {
    if (this.#state === 'waiting') this.#release('begun');
  }

  end(): void {
    this.#state = 'sent';
  }

  /** Only what waits can be dropped. */
  drop(failure: Error): void {
    if (this.#state !== 'waiting') return;
    this.failure = failure;
    this.#release('dropped');
  }

  #release(state: ParcelState): void {
    this.#state = state;
    this.#kept?.close();
    this.#kept = undefined;
    this.#lent = NOTHING;
  }
}
