// least(): every connection to the worker that has the fewest.
import type { Balancer, BalancerOptions } from './balancer';
import { leastLoaded } from './choose';
import { makeBalancer } from './route';

/** @throws SystemError EMFILE */
export function least(options: BalancerOptions): Balancer {
  return makeBalancer(options, leastLoaded(), (decided) => ({
    find: (fd) => decided(fd, 0, false),
    settle() {},
    close() {},
    waiting: 0,
  }));
}
