// Route: by what a connection is told, and the Balancer around it.
import { Acceptor } from './acceptor';
import type { Balancer, BalancerOptions, Target } from './balancer';
import type { Choose } from './choose';
import { Delivery } from './delivery';

/** Finds the hash that a worker is chosen by, now or later. */
export interface Route {
  /** Owns the number until it gives it to `decided`. */
  find(fd: number): void;
  /** Decides those that it waits for, at once. */
  settle(): void;
  /** Closes those that it waits for. */
  close(): void;
  /** Those. */
  readonly waiting: number;
}

/** `later`: not from within find(). The number is the callee's from here. */
export type Decided = (fd: number, hash: number, later: boolean) => void;

export function makeBalancer(
  { listener, message, onError }: BalancerOptions,
  choose: Choose,
  openRoute: (decided: Decided) => Route,
): Balancer {
  let accepting = false;
  let room = false;
  const acceptor = new Acceptor(listener, {
    onBatch(numbers, count) {
      delivery.begin();
      for (let index = 0; index < count; index++) route.find(numbers[index] as number);
      delivery.flush();
    },
    onError,
  });
  const update = (): void => acceptor.setAccepting(accepting && room);
  const delivery = new Delivery({
    message,
    choose,
    onRoom(has) {
      room = has;
      update();
    },
    onError,
  });
  const route = openRoute((fd, hash, later) => {
    if (later) delivery.begin();
    delivery.take(fd, hash);
    if (later) delivery.flush();
  });
  return {
    setTargets: (targets: readonly Target[]) => delivery.setTargets(targets),
    resume: () => delivery.resume(),
    setAccepting(wanted) {
      accepting = wanted;
      update();
      if (!wanted) route.settle();
    },
    get held() {
      return delivery.held + route.waiting;
    },
    close() {
      accepting = false;
      acceptor.close();
      route.close();
      delivery.close();
    },
  };
}
