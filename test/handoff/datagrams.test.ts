// Datagram sockets behind the switch: the old process reads nothing more, and answers what it has read.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { adoptUdp, createHandoff, Fd, UnixDatagram } from 'fdpass';
import { UdpService } from '#fdpass/handoff/datagram-service';
import { binding } from '#fdpass/native/binding';
import { type Actor, type Script, Stage, within } from '../helpers/stage';

const EACH = 10;

interface Client {
  send(text: string): void;
  /** `${pid} ${text}`, as they come. */
  readonly answers: string[];
  answered(count: number): Promise<void>;
}

async function held(actor: Actor, count: number): Promise<void> {
  const all = () => actor.reports.filter(({ event }) => event === 'held').length;
  await actor.event('held', () => all() >= count);
  assert.equal(all(), count);
}

/** Both processes have read ten and answered none when the old one has lost the socket. */
async function answersOverTheSwitch(stage: Stage, connect: (first: Actor) => Promise<Client>): Promise<void> {
  const first = await stage.start();
  const client = await connect(first);
  const ask = (name: string) => {
    for (let i = 0; i < EACH; i++) client.send(`${name}${i}`);
  };
  ask('old');
  await held(first, EACH);
  const second = await stage.start();
  await first.event('superseded');
  ask('new');
  await held(second, EACH);
  await first.call('release');
  await second.call('release');
  await client.answered(2 * EACH);
  const expected = [...Array(EACH).keys()].flatMap((i) => [`${first.pid} old${i}`, `${second.pid} new${i}`]);
  assert.deepEqual([...client.answers].sort(), expected.sort());
  assert.equal(await first.exit(), 0);
}

for (const type of ['udp4', 'udp6'] as const) {
  test(`answers that a ${type} service gives after the switch arrive, once each, and its process ends with 0`, async (t) => {
    const address = type === 'udp4' ? '127.0.0.1' : '::1';
    const stage = await Stage.open(t, { udp: { type, port: 0, address }, listeners: [], late: true });
    await answersOverTheSwitch(stage, async (first) => {
      const port = (await first.event('udp'))['port'] as number;
      const socket = udpClient(t, type);
      const answers: string[] = [];
      socket.on('message', (data, from) => {
        if (from.port === port) answers.push(`${data}`);
      });
      const answered = (count: number) =>
        within(`${count} answers`, async () => {
          while (answers.length < count) await once(socket, 'message');
        });
      return { send: (text) => socket.send(text, port, address), answers, answered };
    });
  });
}

test('answers that a datagram service gives after the switch arrive, once each, and its process ends with 0', async (t) => {
  const script: Script = { listeners: [], late: true };
  const stage = await Stage.open(t, script);
  const inbox = stage.file('inbox');
  script.datagram = inbox;
  await answersOverTheSwitch(stage, async () => {
    const socket = new UnixDatagram().bind(stage.file('client'));
    t.after(() => socket.close());
    const answers: string[] = [];
    const answered = (count: number) =>
      within(`${count} answers`, async (signal) => {
        while (answers.length < count) answers.push(`${(await socket.receive({ signal })).data}`);
      });
    return { send: (text) => void socket.send(text, inbox), answers, answered };
  });
});

test('a UDP socket that reads no more sends in every form of send(), by its address, until it is closed', async (t) => {
  const receiver = udpClient(t, 'udp4').bind(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address();
  const fd = Fd.own(binding.bindUdp('127.0.0.1', 0, false, false));
  t.after(() => fd.close());
  const service = UdpService.on(fd, 'udp4');
  const send = service.user.send.bind(service.user) as (...args: unknown[]) => void;
  const kept = (...args: unknown[]) =>
    new Promise<void>((resolve, reject) => {
      send(...args, (error: Error | null) => (error ? reject(error) : resolve()));
    });
  const stolen: unknown[] = [];
  service.user.on('message', (data) => stolen.push(`${data}`));
  await service.start(fd);
  service.stop(fd);
  const source = await adoptUdp(Fd.dup(fd)); // whoever reads from here on
  t.after(() => source.close());
  assert.equal(service.user.address().port, source.address().port);
  const forms: unknown[][] = [
    ['a', port, '127.0.0.1'],
    ['a', port],
    ['a', port, 'localhost'],
    [Buffer.from('xay'), 1, 1, port, '127.0.0.1'],
    [[Buffer.from('a')], port, '127.0.0.1'],
  ];
  for (const form of forms) {
    const got = once(receiver, 'message');
    receiver.send('for the reader', source.address().port, '127.0.0.1');
    const read = once(source, 'message');
    await kept(...form);
    const [data, from] = (await within(`${form[0]}`, () => got)) as [Buffer, dgram.RemoteInfo];
    assert.deepEqual([`${data}`, from.port], ['a', source.address().port]);
    await within('the datagram of the reader', () => read);
  }
  assert.deepEqual(stolen, []);
  await assert.rejects(kept('a', port, 'x'.repeat(300)));
  service.user.close().close();
  assert.throws(() => service.user.send('a', port), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' });
});

test('close() frees the address of a UDP socket', async (t) => {
  const handoff = await createHandoff({ name: 'datagrams', address: `@fdpass-datagrams-${process.pid}` });
  t.after(() => handoff.close());
  const socket = await handoff.bindUdp('udp', { port: 0, address: '127.0.0.1' });
  const unix = await handoff.bindDatagram('unix', `@fdpass-datagrams-unix-${process.pid}`);
  await handoff.ready();
  const { port } = socket.address();
  const waits = assert.rejects(unix.receive(), { code: 'ERR_FDPASS_CLOSED' });
  await handoff.close();
  await waits;
  assert.ok(unix.closed);
  const next = dgram.createSocket('udp4').bind({ port, address: '127.0.0.1', exclusive: true });
  t.after(() => next.close());
  await once(next, 'listening');
});

function udpClient(t: TestContext, type: dgram.SocketType): dgram.Socket {
  const socket = dgram.createSocket(type);
  t.after(() => socket.close());
  return socket;
}
