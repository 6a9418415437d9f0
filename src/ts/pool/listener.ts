// PoolListener: what this process does with one socket of its pool: nothing but hold it, or accept there and pass the connections on.
import type { DrainCount } from '../handoff/connections';
import type { Service } from '../handoff/service';
import type { Balancer, Target } from './balance/balancer';

const NOTHING: DrainCount = { closed: 0, forced: 0 };

export class PoolListener implements Service {
  readonly user = this;
  /** The connections are the workers': they count them. */
  readonly open = 0;
  readonly accepted = 0;
  readonly #balancer: Balancer | undefined;
  #started = false;
  #paused = false;
  #wanted: boolean;

  /**
   * @param balancer undefined: the workers accept, always. Owned from here
   * @param wanted it accepts from the start
   */
  constructor(balancer: Balancer | undefined, wanted: boolean) {
    this.#balancer = balancer;
    this.#wanted = wanted;
  }

  async start(): Promise<void> {
    this.#started = true;
    this.#update();
  }

  pause(): void {
    this.#paused = true;
    this.#update();
  }

  resume(): void {
    this.#paused = false;
    this.#update();
  }

  stop(): void {
    this.#balancer?.close();
  }

  drain(): Promise<DrainCount> {
    return Promise.resolve(NOTHING);
  }

  /** Another primary has it. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Whether this process is to accept. */
  accept(wanted: boolean): void {
    this.#wanted = wanted;
    this.#update();
  }

  /** The workers that connections can be passed to. */
  setTargets(targets: readonly Target[]): void {
    this.#balancer?.setTargets(targets);
  }

  /** A worker that had no room may have some. */
  tryAgain(): void {
    this.#balancer?.resume();
  }

  #update(): void {
    this.#balancer?.setAccepting(this.#started && !this.#paused && this.#wanted);
  }
}
