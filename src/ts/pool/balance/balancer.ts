// Balancer: what a primary that accepts itself has to do with it; least() and sticky() make one for each listener.
//
// The pool makes a Balancer with the listener, which it lends, and the message {type: 'connections', listener} as encoded. It tells
// setTargets() the workers that serve, whenever they change; resume() when a link that had refused something has drained, or
// its worker has told its load; setAccepting() when it starts, hands over to another primary, or takes that back. A Balancer
// keeps no worker alive and knows no link: what it is told of a worker is a Target.
import type { Fd } from '../../fd/fd';

/** A worker that takes connections. */
export interface Target {
  /** Its place in the pool. Sticky connections belong to a place. */
  readonly worker: number;
  /** Connections that are open there, with those that are on their way to it. Asked once for each batch. */
  readonly open: number;
  /**
   * Sends `message` with the descriptors, now or not at all, and counts them as on their way. They are lent: the kernel has
   * copies when it returns true. False: nothing for this one until resume(), such as when its link is full, or it has not yet told of
   * the last few hundred.
   */
  trySend(message: Buffer, fds: readonly number[]): boolean;
}

export interface BalancerOptions {
  /** Of stream sockets. Lent until close(). */
  listener: Fd;
  /** What goes with up to MAX_CONNECTIONS_PER_MESSAGE connections. */
  message: Buffer;
  /** Accepting fails for want of descriptors or memory (once until it works again), or a Target has thrown. It tries again. */
  onError(error: Error): void;
}

export interface Balancer {
  /** The workers that serve: without any, clients wait in the kernel's queue. */
  setTargets(targets: readonly Target[]): void;
  /** A target that has refused may have room. It also tries by itself from time to time. */
  resume(): void;
  /** At first it does not. With false those that it waits for (sticky by their first bytes) are decided at once. */
  setAccepting(accepting: boolean): void;
  /** Connections that are accepted and not sent yet: 0 but for moments, if there is a worker with room. */
  readonly held: number;
  /** Accepts no more, and closes what it holds. The listener stays the caller's. */
  close(): void;
}

/**
 * A worker opens and serves those of one message in a row; the kernel would take SCM_MAX_FD, 253. Beyond a few dozens the cost of
 * the message no longer shows.
 */
export const MAX_CONNECTIONS_PER_MESSAGE = 64;
