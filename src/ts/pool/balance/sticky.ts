// sticky(): a client's connections all to one worker, as long as that one is there.
import type { Fd } from '../../fd/fd';
import { binding } from '../../native/binding';
import type { Balancer, BalancerOptions } from './balancer';
import { type Choose, hashOf, highestHash, leastLoaded } from './choose';
import { FirstBytes } from './first-bytes';
import { makeBalancer } from './route';
import type { StickyKey } from './sticky-key';

export interface StickyOptions extends BalancerOptions {
  /** Tells a client by the first bytes of its connection. Default: by its address. */
  key?: StickyKey | undefined;
  /** Of the first bytes, at most. Default 4096. */
  maxBytes?: number | undefined;
  /** A connection that has not said enough by then is told by its address. Default 2000. */
  timeoutMs?: number | undefined;
}

/** A ClientHello or the head of a request, with room for cookies. */
const DEFAULT_MAX_BYTES = 4096;
const DEFAULT_TIMEOUT_MS = 2_000;

/** Nothing tells this client. */
const NOBODY = -1;

/**
 * Of AF_UNIX, where clients have no address and most often are one proxy, and of a client that is gone already: to the worker that has the
 * fewest, unless `key` tells it.
 * @throws SystemError EMFILE
 */
export function sticky(options: StickyOptions): Balancer {
  const { key, maxBytes = DEFAULT_MAX_BYTES, timeoutMs = DEFAULT_TIMEOUT_MS, onError } = options;
  const byAddress = addressHash(options.listener);
  return makeBalancer(options, hashOrLeast(), (decided) => {
    if (key !== undefined) {
      return new FirstBytes({
        key,
        maxBytes,
        timeoutMs,
        decided: (fd, found, later) => decided(fd, found === null ? byAddress(fd) : hashOf(found), later),
        onError,
      });
    }
    return { find: (fd) => decided(fd, byAddress(fd), false), settle() {}, close() {}, waiting: 0 };
  });
}

function hashOrLeast(): Choose {
  const least = leastLoaded();
  return (board, hash) => (hash === NOBODY ? least : highestHash)(board, hash);
}

function addressHash(listener: Fd): (fd: number) => number {
  if (listener.describe().family === 'unix') return () => NOBODY;
  return (fd) => {
    try {
      return hashOf(binding.remoteInetAddress(fd).address);
    } catch {
      return NOBODY; // ENOTCONN: it has been reset
    }
  };
}
