// The sender's side: hands out the messages until the time is over, and takes the processor time.

const kBigMessage = 65536;

export class Course {
  #message;
  #warmUs;
  #endUs;
  #isCounted;
  #limit;
  #checkEvery;
  #checkAt = 0;
  #begunUs = performance.now() * 1000;
  #cpu;
  #sent = 0;
  #sentBefore = 0;

  constructor({ size = 1, fds, warmMs, runMs, messages, checkEvery }) {
    this.#message = Buffer.alloc(size);
    this.#warmUs = warmMs * 1000;
    this.#endUs = (warmMs + runMs) * 1000;
    this.#isCounted = messages > 0;
    this.#limit = messages || Number.POSITIVE_INFINITY;
    this.#checkEvery = checkEvery ?? (size >= kBigMessage || fds > 1 ? 1 : 64);
  }

  /** The next message to send; undefined when it is enough. */
  next() {
    if (this.#sent >= this.#limit) return undefined;
    if (this.#sent >= this.#checkAt && this.#isOver()) {
      this.#limit = this.#sent; // it stays over
      return undefined;
    }
    this.#sent++;
    return this.#message;
  }

  report() {
    const { user, system } = process.cpuUsage(this.#cpu);
    return { total: this.#sent, measured: this.#sent - this.#sentBefore, cpuUs: user + system };
  }

  #isOver() {
    this.#checkAt = this.#sent + this.#checkEvery;
    const spentUs = performance.now() * 1000 - this.#begunUs;
    if (this.#cpu === undefined && spentUs >= this.#warmUs) {
      this.#cpu = process.cpuUsage();
      this.#sentBefore = this.#sent;
    }
    return !this.#isCounted && spentUs >= this.#endUs;
  }
}
