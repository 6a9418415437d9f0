// The processor time of this process over time, for who knows later which stretch of it is of interest.

/** Each one wakes the process up, which takes 0.4 ms where nothing else happens. */
const kEveryMs = 250;

export class CpuCurve {
  /** [the clock, which is that of all processes; user and system time], both in microseconds. */
  points = [];
  #timer = setInterval(() => this.#sample(), kEveryMs);

  constructor() {
    this.#sample();
  }

  end() {
    clearInterval(this.#timer);
    this.#sample();
  }

  #sample() {
    const { user, system } = process.cpuUsage();
    this.points.push([Number(process.hrtime.bigint() / 1000n), user + system]);
  }
}
