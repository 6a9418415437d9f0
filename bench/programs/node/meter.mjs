// Counts what arrives, as bench/programs/c/meter.c does: after a warm-up, in windows, because a clock reading for each
// message would be seen.
import { percentile } from './percentile.mjs';

export class Meter {
  #warmUs;
  #window;
  #firstUs = 0;
  #startedUs = 0;
  #lastUs = 0;
  #cpu;
  #rss = 0;
  #total = 0;
  #measured = 0;
  #inWindows = 0;
  #windows = [];

  constructor({ warmMs, window }) {
    this.#warmUs = warmMs * 1000;
    this.#window = window;
  }

  get total() {
    return this.#total;
  }

  get isWarm() {
    return this.#startedUs !== 0;
  }

  add(amount) {
    this.#total += amount;
    if (this.#startedUs === 0) {
      this.#warm();
      return;
    }
    this.#measured += amount;
    if (this.#measured - this.#inWindows >= this.#window) this.#closeWindow();
  }

  report() {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      total: this.#total,
      measured: this.#measured,
      inWindows: this.#inWindows,
      elapsedUs: this.#lastUs - this.#startedUs,
      cpuUs: user + system,
      p99Us: percentile(this.#windows, 0.99),
      rss: process.memoryUsage.rss(),
      rssWarm: this.#rss,
    };
  }

  #warm() {
    const now = performance.now() * 1000;
    this.#firstUs ||= now;
    if (now - this.#firstUs < this.#warmUs) return;
    this.#rss = process.memoryUsage.rss();
    this.#cpu = process.cpuUsage();
    this.#startedUs = this.#lastUs = performance.now() * 1000;
  }

  #closeWindow() {
    const now = performance.now() * 1000;
    this.#windows.push((now - this.#lastUs) / (this.#measured - this.#inWindows));
    this.#lastUs = now;
    this.#inWindows = this.#measured;
  }
}
