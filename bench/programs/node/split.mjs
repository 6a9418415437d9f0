// Connections that stay: how many of them each worker has.
import { clientAddress, HttpClient } from './http-client.mjs';

export async function sender(_contender, { address, sockets, workers }) {
  const clients = Array.from(
    { length: sockets },
    (_, i) => new HttpClient(address, { localAddress: clientAddress(i), keepAlive: true }),
  );
  const counts = new Map();
  for (const pid of await Promise.all(clients.map((client) => client.ask())))
    counts.set(pid, (counts.get(pid) ?? 0) + 1);
  for (const client of clients) client.close();
  const shares = [...counts.values(), ...Array(workers).fill(0)].slice(0, Math.max(workers, counts.size));
  return { total: sockets, measured: sockets, shares };
}
