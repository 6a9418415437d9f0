// Handoff: the public face. Its listeners are in the registry, its life is its tenure.

import type dgram from 'node:dgram';
import { EventEmitter } from 'node:events';
import type net from 'node:net';
import { invalidArgType } from '../base/errors';
import { validateInteger, validateTimeout } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';
import type { UnixDatagram } from '../sockets/datagram';
import { type DatagramOptions, datagramPlace, type UdpOptions, udpPlace } from './datagram-place';
import { UdpService, UnixDatagramService } from './datagram-service';
import { type ListenerOptions, streamPlace, validateServer } from './endpoint';
import type { HandoffSettings } from './options';
import type { PoolHooks } from './pool-commands';
import { systemProcess } from './process';
import type { Receipt } from './receipt';
import { Registry } from './registry';
import { ServerService } from './service';
import type { HandedState } from './state';
import type { HandoffEvents, HandoffState, ListenerStatus } from './status';
import { Tenure } from './tenure';
import type { UpgradeOptions } from './upgrade';

export interface HandoffStatus {
  name: string;
  pid: number;
  generation: number;
  state: HandoffState;
  listeners: ListenerStatus[];
}

/**
 * Events: 'superseded' (Receipt): a successor has taken over for good, this process drains and then ends by itself.
 * 'rolledback' (Error; a process warning if nobody listens): a switch was taken back. In the old process: it accepts again. In the new one: it has
 * stopped, drains and then ends by itself. 'aborted' (Error): somebody else's attempt to take over came to nothing;
 * this process never stopped. (What became of an upgrade() its promise tells, too.) 'confirmed': the probation of
 * this process is over, it owns the service and can be upgraded. 'settled' (Receipt): its predecessor has drained and
 * gone, or died.
 */
export class Handoff extends EventEmitter<HandoffEvents> implements AsyncDisposable {
  readonly name: string;
  readonly #registry = new Registry();
  readonly #tenure: Tenure;

  /** @internal */
  static async begin(settings: HandoffSettings, pool?: PoolHooks): Promise<Handoff> {
    const handoff = new Handoff(settings, pool);
    await handoff.#tenure.begin();
    return handoff;
  }

  private constructor(settings: HandoffSettings, pool: PoolHooks | undefined) {
    super();
    this.name = settings.name;
    this.#tenure = new Tenure({
      settings,
      seam: systemProcess,
      registry: this.#registry,
      pool,
      // Later: a listener may throw, and what runs this step of the machine has more to do.
      announce: (event, ...args) =>
        process.nextTick(() => {
          const heard = this.emit(event as keyof HandoffEvents, ...(args as never));
          // One of the two processes says it: they write to one terminal, or to one log.
          if (!heard && event === 'rolledback' && !this.#tenure.wasStarted)
            process.emitWarning(args[0] as Error);
        }),
    });
  }

  /** 1 for the first process, one more for each successor. */
  get generation(): number {
    return this.#tenure.generation;
  }

  /** Whom this process takes over from. */
  get predecessor(): { pid: number; generation: number } | undefined {
    return this.#tenure.predecessor;
  }

  /** Resolves when a successor has taken over and all connections have ended: time to close the rest. The receipt is complete. */
  get superseded(): Promise<Receipt> {
    return this.#tenure.superseded;
  }

  /** Of the upgrade that brought this process here; complete when its predecessor has gone ('settled'). */
  get receipt(): Receipt | undefined {
    return this.#tenure.receipt;
  }

  /** What the predecessor left with provideState(); undefined if there is nothing. */
  get state(): HandedState | undefined {
    return this.#tenure.handedState;
  }

  /**
   * Leaves a value to whoever succeeds this process. `get` is called once for each, when it has connected; this process
   * serves on meanwhile, so what changes until the switch is not in it. If it throws, or gives what cannot be cloned,
   * the upgrade ends with ERR_HANDOFF_BAD_STATE, unless the successor can do without a state.
   * @param version the program's own, for a successor that has moved on
   * @param get gives anything that v8.serialize() takes, no longer than `state.maxBytes`
   */
  provideState(version: number, get: () => unknown): void {
    validateInteger('version', version, 0, Number.MAX_SAFE_INTEGER);
    if (typeof get !== 'function') throw invalidArgType('get', 'a function', get);
    this.#tenure.provideState(version, get);
  }

  /**
   * Gives `server` the predecessor's listener of that name, or binds a new one. Nothing is accepted, and
   * 'listening' is not emitted, before ready(): until then clients are the predecessor's.
   * @param server of net, tls, http, https or http2, which must not listen yet
   * @throws SystemError EADDRINUSE with `holders`, EACCES, ...; ERR_HANDOFF_NAME_TAKEN; ERR_HANDOFF_STATE after ready();
   * ERR_FDPASS_UNSUPPORTED_RUNTIME in Bun for a server of http or https
   */
  async listen<S extends net.Server>(name: string, server: S, options: ListenerOptions): Promise<S> {
    validateServer(name, server);
    const place = await streamPlace(options);
    this.#tenure.requireBoot('listen()');
    const { backlog } = place;
    const farewell = options.drain;
    const service = (_: Fd, ticketKeys?: string) =>
      new ServerService(server, { backlog, ticketKeys, farewell });
    this.#registry.claim(name, { place, user: server, service });
    return server;
  }

  /**
   * A UDP socket: the predecessor's of that name, or a new one. It is bound, and reads, from ready() on; do not send()
   * before. Until the takeover is final both processes read, each datagram once; then the old one emits 'close', and
   * send(), address() and close() still work, for answers that are under way.
   * @throws as listen(); ERR_FDPASS_UNSUPPORTED_RUNTIME in Deno
   */
  async bindUdp(name: string, options: UdpOptions): Promise<dgram.Socket> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    const place = udpPlace(options);
    this.#tenure.requireBoot('bindUdp()');
    const service = (fd: Fd) => UdpService.on(fd, options.type ?? 'udp4');
    return this.#registry.claim(name, { place, service }).user;
  }

  /**
   * An AF_UNIX datagram socket: the predecessor's of that name, or a new one. It reads as soon as somebody listens for
   * 'message', receives or iterates: wait for ready() with that. Until the takeover is final both processes may read,
   * each message once; then the old one only sends, and receive() rejects as if it was closed.
   * @throws as listen()
   */
  async bindDatagram(
    name: string,
    address: AddressLike,
    options: DatagramOptions = {},
  ): Promise<UnixDatagram> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    const place = datagramPlace(UnixAddress.from(address), options);
    this.#tenure.requireBoot('bindDatagram()');
    const { mode: _, ...forSocket } = options;
    const service = (fd: Fd) => UnixDatagramService.adopt(fd, forSocket);
    return this.#registry.claim(name, { place, service }).user;
  }

  /**
   * Hands anything else that is a descriptor over to whoever succeeds this process: a file, a pipe, a socket. What is
   * put there later under the same name replaces it. A successor gets what is there when it connects.
   * @param from is lent: this process keeps a duplicate until it is superseded or closed
   * @throws ERR_HANDOFF_NAME_TAKEN, SystemError EBADF, EMFILE
   */
  put(name: string, from: FdLike): void {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#tenure.requireHolder();
    this.#registry.put(name, Fd.dup(from));
  }

  /**
   * What the predecessor has put there; the caller owns it, and puts it again for the next one. What nobody has taken
   * is closed at ready().
   * @throws ERR_HANDOFF_STATE after ready()
   */
  take(name: string): Fd | undefined {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#tenure.requireBoot('take()');
    return this.#registry.take(name);
  }

  /**
   * This process needs longer to boot: whoever waits for its ready() goes on doing so for `ms` more from now, instead of
   * the rest of `timeouts.warm`. May be called again. Does nothing where nobody waits.
   * @param ms milliseconds
   * @throws ERR_HANDOFF_STATE after ready()
   */
  extend(ms: number): void {
    validateTimeout('ms', ms);
    this.#tenure.extend(ms);
  }

  /**
   * This process is able to serve. Resolves when it accepts on every listener and the predecessor, if there is
   * one, has stopped accepting; from there it is on probation. Inherited listeners that nobody claimed are closed.
   * @throws ERR_HANDOFF_ABORTED, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL: the predecessor serves on, and this
   * process has given everything back; it should exit
   */
  async ready(): Promise<void> {
    await this.#tenure.ready();
  }

  /**
   * Gives the service back, on probation: too many errors, a dependency that is missing. Resolves when the
   * predecessor accepts again; this process stops, lets its connections end and then ends by itself.
   * @throws ERR_HANDOFF_STATE unless this process is on probation; ERR_HANDOFF_ALONE: the predecessor is gone, this
   * process serves on; ERR_HANDOFF_TIMEOUT: it is silent, this process serves until it answers
   */
  async fail(reason: string): Promise<void> {
    if (typeof reason !== 'string') throw invalidArgType('reason', 'a string', reason);
    await this.#tenure.fail(reason);
  }

  /**
   * Starts a successor and waits until it has taken over for good, its probation included.
   * @throws UpgradeError with the reason and the end of the successor's stderr: this process serves on. It has never
   * stopped, or, if the code is ERR_HANDOFF_ROLLED_BACK, serves again. ERR_HANDOFF_BUSY, ERR_HANDOFF_STATE: nothing was started.
   */
  async upgrade(options: UpgradeOptions = {}): Promise<Receipt> {
    return await this.#tenure.upgrade(options);
  }

  status(): HandoffStatus {
    const { pid, generation, state } = this.#tenure;
    return { name: this.name, pid, generation, state, listeners: this.#registry.status() };
  }

  /**
   * The end of the service, for SIGTERM: stops accepting, removes what is ours, lets the connections end within
   * `timeouts.drain`, and closes the datagram sockets. A successor that boots is called off. Of a superseded process it is
   * the wait for its drain.
   */
  close(): Promise<void> {
    return this.#tenure.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
