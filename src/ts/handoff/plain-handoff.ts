// PlainHandoff: a handoff where descriptors cannot be passed. It serves, and hands nothing over: one program runs on a
// developer's machine, too.

import { EventEmitter } from 'node:events';
import type net from 'node:net';
import { closedError, FdpassError, invalidArgType } from '../base/errors';
import { validateInteger, validateTimeout } from '../base/validate';
import { unsupportedPlatform } from '../native/binding';
import type { DrainCount } from './connections';
import { Departure } from './departure';
import { type ListenerOptions, validateServer } from './endpoint';
import type { Handoff, HandoffStatus } from './handoff';
import { type HandoffOptions, type PlainSettings, readPlainOptions } from './options';
import { PidFile } from './pid-file';
import { PlainListener } from './plain-listener';
import { systemProcess } from './process';
import type { SetLimit } from './service';
import { stateError } from './state-error';
import type { HandoffEvents, HandoffState } from './status';

/** @throws TypeError, RangeError */
export function createPlainHandoff(options: HandoffOptions): Handoff {
  const plain: PublicPart = new PlainHandoff(readPlainOptions(options));
  return plain as Handoff; // it has all that a program can see of one
}

type PublicPart = Omit<Handoff, keyof EventEmitter<HandoffEvents>>;

/** What it says and throws is what the first process of a service says and throws. */
class PlainHandoff extends EventEmitter<HandoffEvents> implements PublicPart {
  readonly name: string;
  readonly generation = 1;
  readonly predecessor = undefined;
  readonly receipt = undefined;
  readonly state = undefined;
  /** Nobody takes over. */
  readonly superseded = new Promise<never>(() => {});

  readonly #listeners = new Map<string, PlainListener>();
  readonly #departure: Departure;
  readonly #pidFile: PidFile | undefined;
  readonly #ignoreSignal: () => void;
  #state: HandoffState = 'starting';
  #closing: Promise<void> | undefined;

  constructor({ name, timeouts, pidFile, restartOn }: PlainSettings) {
    super();
    this.name = name;
    this.#pidFile = pidFile === undefined ? undefined : new PidFile(pidFile, process.pid);
    this.#departure = new Departure({ drain: (setLimit) => this.#drain(setLimit) }, systemProcess, timeouts);
    this.#ignoreSignal =
      restartOn === undefined
        ? () => {}
        : systemProcess.onSignal(restartOn, () => void this.upgrade().catch(warn));
  }

  provideState(version: number, get: () => unknown): void {
    validateInteger('version', version, 0, Number.MAX_SAFE_INTEGER);
    if (typeof get !== 'function') throw invalidArgType('get', 'a function', get);
    this.#requireOpen();
  }

  /** Binds and accepts at once, unlike on Linux: there is nobody who serves meanwhile. */
  async listen<S extends net.Server>(name: string, server: S, options: ListenerOptions): Promise<S> {
    validateServer(name, server);
    this.#requireBoot('listen()');
    if (this.#listeners.has(name))
      throw new FdpassError(
        'ERR_HANDOFF_NAME_TAKEN',
        `there is a listener named ${name} already; give each its own name`,
      );
    const listener = await PlainListener.open(server, options);
    this.#listeners.set(name, listener);
    if (this.#state === 'closed') listener.stop();
    this.#requireOpen();
    return server;
  }

  async bindUdp(): Promise<never> {
    throw unsupportedPlatform('bindUdp()');
  }

  async bindDatagram(): Promise<never> {
    throw unsupportedPlatform('bindDatagram()');
  }

  put(): never {
    throw unsupportedPlatform('put()');
  }

  /** There was nobody to put anything there. */
  take(name: string): undefined {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#requireBoot('take()');
  }

  /** Nobody waits. */
  extend(ms: number): void {
    validateTimeout('ms', ms);
    this.#requireBoot('extend()');
  }

  async ready(): Promise<void> {
    this.#requireOpen();
    if (this.#state !== 'starting') throw stateError('ready() was called already');
    this.#state = 'serving';
    this.#pidFile?.write();
    process.nextTick(() => this.emit('confirmed'));
  }

  async fail(reason: string): Promise<void> {
    if (typeof reason !== 'string') throw invalidArgType('reason', 'a string', reason);
    throw stateError(`a process that is ${this.#state} cannot be rolled back`);
  }

  async upgrade(): Promise<never> {
    throw unsupportedPlatform('upgrade()');
  }

  status(): HandoffStatus {
    const listeners = [...this.#listeners].map(([name, { address, open }]) => {
      return { name, address, inherited: false, connections: open };
    });
    return { name: this.name, pid: process.pid, generation: 1, state: this.#state, listeners };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    for (const listener of this.#listeners.values()) listener.stop();
    await this.#departure.drain();
    this.#pidFile?.remove();
    this.#ignoreSignal();
  }

  async #drain(setLimit: SetLimit): Promise<DrainCount> {
    const counts = await Promise.all([...this.#listeners.values()].map((one) => one.drain(setLimit)));
    const sum = (key: keyof DrainCount) => counts.reduce((total, count) => total + count[key], 0);
    return { closed: sum('closed'), forced: sum('forced') };
  }

  #requireBoot(what: string): void {
    this.#requireOpen();
    if (this.#state !== 'starting') throw stateError(`${what} belongs before ready()`);
  }

  #requireOpen(): void {
    if (this.#state === 'closed') throw closedError('Handoff');
  }
}

function warn(error: Error): void {
  process.emitWarning(error);
}
