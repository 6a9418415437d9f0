// Clients that go on asking while workers are replaced: half of them on a connection that they keep, half on a new one each time.
import { setTimeout as pause } from 'node:timers/promises';

import { clientAddress, HttpClient } from './http-client.mjs';
import { percentile } from './percentile.mjs';

/** Between two requests of a client: these are to be there when it happens, and not to take the processors. */
const kThinkMs = 5;

export async function sender(_contender, { address, sockets, runMs, warmMs }) {
  const end = performance.now() + warmMs + runMs;
  const times = [];
  const failures = {};
  const visit = async (client) => {
    while (performance.now() < end) {
      const begun = performance.now();
      try {
        await client.ask();
      } catch (error) {
        const what = error.code ?? error.message;
        failures[what] = (failures[what] ?? 0) + 1;
      }
      times.push(performance.now() - begun);
      await pause(kThinkMs);
    }
    client.close();
  };
  const clients = Array.from(
    { length: sockets },
    (_, i) => new HttpClient(address, { localAddress: clientAddress(i), keepAlive: i % 2 === 0 }),
  );
  await Promise.all(clients.map(visit));
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  const total = times.length;
  return { total, measured: total, failed, failures, p99Ms: percentile(times, 0.99) };
}
