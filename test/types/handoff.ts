// The types of the handoff, checked by the compiler alone: what must be accepted and what must not.
import type dgram from 'node:dgram';
import type fs from 'node:fs';
import type http from 'node:http';
import {
  createHandoff,
  type DrainReceipt,
  type Fd,
  type HandedState,
  type Handoff,
  type Receipt,
  type UnixDatagram,
} from 'fdpass';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(proof: Equal<A, B>): void;

/** Never called. */
export async function handoffs(server: http.Server, handle: fs.promises.FileHandle): Promise<void> {
  const handoff = await createHandoff({
    name: 'shop',
    allow: [1000],
    timeouts: { drain: 1, hurry: 1, ping: 1 },
    probation: { ms: 0, interval: 5, health: async () => true },
    state: { maxBytes: 5, onError: 'empty' },
    restartOn: 'SIGHUP',
    pidFile: '/run/shop.pid',
  });
  (await handoff.listen('http', server, { port: 0 })) satisfies http.Server;
  (await handoff.bindUdp('dns', { port: 53, type: 'udp6' })) satisfies dgram.Socket;
  (await handoff.bindDatagram('log', '/run/log', { mode: 0o600, maxFds: 1 })) satisfies UnixDatagram;
  handoff.put('file', handle);
  same<ReturnType<Handoff['take']>, Fd | undefined>(true);
  handoff.provideState(2, () => new Map());
  same<Handoff['state'], HandedState | undefined>(true);
  await handoff.fail('no database');
  same<Awaited<ReturnType<Handoff['upgrade']>>, Receipt>(true);
  same<Awaited<Handoff['superseded']>, Receipt>(true);
  same<Handoff['receipt'], Receipt | undefined>(true);
  same<Receipt['drain'], DrainReceipt | undefined>(true);
  handoff.on('settled', (receipt) => receipt satisfies Receipt);
  handoff.on('rolledback', (error) => error satisfies Error);
  // @ts-expect-error: a check says yes or no
  await createHandoff({ name: 'shop', probation: { health: () => 'well' } });
  // @ts-expect-error: there is no such event
  handoff.on('rolledBack', () => {});
}
