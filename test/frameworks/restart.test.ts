// Servers of Node and of the frameworks over it are restarted under load, and no request fails.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'node:test';
import { selfSigned } from '../helpers/certificate';
import { type Client, http2Client, Load } from '../helpers/clients';
import { type Actor, portOf, type Script, Stage, web } from '../helpers/stage';
import { jsonClient } from './clients';

/** Seen from test/fixtures. */
const SERVER = '../frameworks/server';
const RESTARTS = 3;
const CLIENTS = 6;

const repeat = (make: () => Client): Client[] => Array.from({ length: CLIENTS }, make);

/** Half of the clients keep their connection, half make one for each request. */
const both = (make: (keepAlive: boolean) => Client): Client[] => [
  ...repeat(() => make(true)),
  ...repeat(() => make(false)),
];

const overHttp = (port: number): Client[] => both((keepAlive) => jsonClient(port, { keepAlive }));

const kinds: Record<string, (port: number, ca: Buffer) => Client[]> = {
  http: overHttp,
  https: (port, ca) => both((keepAlive) => jsonClient(port, { keepAlive, ca })),
  http2: (port) => repeat(() => http2Client({ port })),
  express: overHttp,
  fastify: overHttp,
  koa: overHttp,
};

/** A certificate that every process of the stage can read. */
function certificate(t: Parameters<typeof selfSigned>[0], stage: Stage): Script {
  const { key, cert } = selfSigned(t);
  const tls = { key: stage.file('key.pem'), cert: stage.file('cert.pem') };
  writeFileSync(tls.key, key);
  writeFileSync(tls.cert, cert);
  return { tls };
}

for (const [kind, clients] of Object.entries(kinds)) {
  test(`${kind}: ${RESTARTS} restarts under load, and no request fails`, async (t) => {
    const stage = await Stage.open(t, { listeners: [web({ kind: kind as 'http' })] });
    const script = certificate(t, stage);
    const processes: Actor[] = [await stage.start(script, { fixture: SERVER })];
    const [first] = processes as [Actor];
    const load = new Load(clients(portOf(first), readFileSync(stage.file('cert.pem'))));
    await load.served(first.pid);
    for (let i = 0; i < RESTARTS; i++) {
      const next = await stage.upgrade(processes.at(-1) as Actor, script);
      processes.push(next);
      await load.served(next.pid);
    }
    const { failures, byPid } = await load.stop();
    assert.deepEqual(failures, []);
    assert.deepEqual(
      [...byPid.keys()].sort(),
      processes.map(({ pid }) => pid).sort(),
      'somebody has not served',
    );
    for (const old of processes.slice(0, -1)) assert.equal(await old.exit(), 0);
  });
}
