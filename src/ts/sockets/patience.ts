// Patience: whether it pays to try again right away, or to sleep until poll(2) tells. No I/O, no clock.

/** Tries that may be in vain before it gives up, at most. Each takes a turn of the loop: 2 us with nothing else in it. */
const MOST_CREDIT = 16;
const FIRST_CREDIT = 8;

/** Tries that it is worth not to sleep: to do so and to be woken costs both sides as much. */
const GAIN = 3;

/** Waits that go to sleep at once after it has given up: 1, then 2, 4 ... until it has paid again. */
const MOST_RESTS = 256;

/**
 * Tries pay where a peer takes what is sent as fast as it comes. Where it does something with it, or waits for this very
 * processor, they are a waste, and become rare.
 */
export class Patience {
  #trying = false;
  #credit = FIRST_CREDIT;
  #rests = 0;
  #restsLeft = 0;

  /**
   * To be asked whenever there was no room.
   * @param progressed something went since the last question: another wait begins
   */
  triesAgain(progressed: boolean): boolean {
    if (progressed) this.#beginWait();
    else if (this.#trying) this.#pay();
    return this.#trying;
  }

  #beginWait(): void {
    if (this.#trying) this.#earn();
    this.#trying = this.#restsLeft === 0;
    if (this.#restsLeft > 0) this.#restsLeft--;
  }

  #earn(): void {
    this.#credit = Math.min(this.#credit + GAIN, MOST_CREDIT);
    if (this.#credit === MOST_CREDIT) this.#rests = 0;
  }

  #pay(): void {
    this.#credit--;
    if (this.#credit > 0) return;
    this.#trying = false;
    this.#credit = FIRST_CREDIT;
    this.#restsLeft = this.#rests = Math.min(2 * this.#rests || 1, MOST_RESTS);
  }
}
