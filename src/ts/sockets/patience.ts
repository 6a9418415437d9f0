// Patience: whether it pays to try again right away, or to sleep until poll(2) tells. No I/O, no clock.

/** Turns of the loop, some 30 us with nothing else in it: what a peer takes to read a part of a full buffer. */
const TRIES = 16;

/** The waits that follow one whose tries were in vain go to sleep at once: 1 of them, then 2, 4 ... */
const MOST_RESTS = 256;

/**
 * To sleep and to be woken costs both sides more than a few tries, where a peer takes what is sent as fast as it comes. Where it does
 * not (it is slow, or waits for this very processor), tries are a waste, and become rare.
 */
export class Patience {
  #triesLeft = 0;
  #restsLeft = 0;
  /** After the last wait in vain. */
  #rests = 0;

  /**
   * To be asked whenever there was no room.
   * @param progressed something went since the last question: another wait begins
   */
  triesAgain(progressed: boolean): boolean {
    if (progressed) {
      this.#beginWait();
    } else if (this.#triesLeft > 0) {
      this.#triesLeft--;
      if (this.#triesLeft === 0) this.#restsLeft = this.#rests = Math.min(2 * this.#rests || 1, MOST_RESTS);
    }
    return this.#triesLeft > 0;
  }

  #beginWait(): void {
    if (this.#triesLeft > 0) this.#rests = 0; // it paid
    this.#triesLeft = this.#restsLeft === 0 ? TRIES : 0;
    if (this.#restsLeft > 0) this.#restsLeft--;
  }
}
