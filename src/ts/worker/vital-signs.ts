// VitalSigns: what a worker answers to a ping: its figures, and what the program's health check complains of.
import { closeSync, openSync } from 'node:fs';
import type net from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { hasCode } from '../base/errors';
import { residentBytes } from '../base/memory';
import { given } from '../base/options';
import type { WorkerFigures } from '../handoff/pool-status';
import { checkHealth, type ProbationOptions } from '../handoff/probation';
import type { Registry } from '../handoff/registry';
import { LoopLag } from './loop-lag';
import { Requests } from './requests';

export interface VitalSignsOptions {
  registry: Registry;
  health: ProbationOptions['health'];
  /** For the health check. */
  timeoutMs: number;
}

const US_PER_MS = 1_000;

/** This process has no free descriptor: it can accept nobody. */
function isExhausted(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'));
    return false;
  } catch (error) {
    return hasCode(error, 'EMFILE', 'ENFILE');
  }
}

export class VitalSigns {
  readonly #registry: Registry;
  readonly #health: ProbationOptions['health'];
  readonly #timeoutMs: number;
  readonly #lag = new LoopLag();
  readonly #requests = new Requests();
  /** The health check that is under way. */
  #complaint: Promise<string | undefined> | undefined;

  constructor({ registry, health, timeoutMs }: VitalSignsOptions) {
    this.#registry = registry;
    this.#health = health;
    this.#timeoutMs = timeoutMs;
  }

  /** Its requests count from here. */
  watch(server: net.Server): void {
    this.#requests.watch(server);
  }

  /** Resolves, never rejects, when the health check has answered, or has not in time. */
  async read(): Promise<{ figures: WorkerFigures; unwell?: string; exhausted?: true }> {
    const unwell = this.#health === undefined ? undefined : await this.#check();
    const exhausted = isExhausted();
    return { figures: this.#figures(), ...given({ unwell }), ...(exhausted ? { exhausted } : {}) };
  }

  end(): void {
    this.#lag.end();
    this.#requests.end();
  }

  #figures(): WorkerFigures {
    const { user, system } = process.cpuUsage();
    const { ms: loopLagMs } = this.#lag;
    return {
      ageMs: isMainThread ? process.uptime() * 1_000 : performance.now(),
      connections: this.#registry.open,
      accepted: this.#registry.accepted,
      requests: this.#requests.answered,
      rssBytes: residentBytes(),
      cpuMs: (user + system) / US_PER_MS,
      ...(loopLagMs === undefined ? {} : { loopLagMs }),
    };
  }

  // One that hangs is not called again, and every ping is answered that it does.
  async #check(): Promise<string | undefined> {
    this.#complaint ??= checkHealth(this.#health)
      .then(() => undefined)
      .catch((error: Error) => error.message)
      .finally(() => {
        this.#complaint = undefined;
      });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      const text = `the health check did not answer within ${this.#timeoutMs} ms`;
      timer = setTimeout(() => resolve(text), this.#timeoutMs).unref();
    });
    try {
      return await Promise.race([this.#complaint, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
