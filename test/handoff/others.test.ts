// What is handed over besides stream listeners: UDP, AF_UNIX datagrams, and any descriptor at all.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { createHandoff, Fd, type HandoffStatus, type Receipt, UnixDatagram } from 'fdpass';
import { freePort } from '../helpers/free-port';
import { openPipe, readNow, writeNow } from '../helpers/pipe';
import { type Actor, Stage, web, within } from '../helpers/stage';

/** Asks over UDP, as many as it can, each with a number of its own, and counts the answers by process and number. */
class UdpLoad {
  readonly #socket = dgram.createSocket('udp4');
  readonly answers = new Map<number, number[]>();
  #asked = 0;
  #running = true;

  constructor(t: TestContext, port: number) {
    t.after(() => this.#socket.close());
    this.#socket.on('message', (data) => {
      const [pid, number] = data.toString().split(' ').map(Number) as [number, number];
      this.answers.set(pid, [...(this.answers.get(pid) ?? []), number]);
      if (this.#running) this.#ask(port); // one in the air for each answered: no buffer overflows
    });
    for (let i = 0; i < 8; i++) this.#ask(port);
  }

  get asked(): number {
    return this.#asked;
  }

  #ask(port: number): void {
    this.#socket.send(`${this.#asked++}`, port, '127.0.0.1');
  }

  async answeredBy(pid: number, count = 50): Promise<void> {
    await within(`${count} answers of process ${pid}`, async () => {
      while ((this.answers.get(pid)?.length ?? 0) < count) await once(this.#socket, 'message');
    });
  }

  /** Waits for the last answers. */
  async stop(): Promise<number[]> {
    this.#running = false;
    const all = (): number[] => [...this.answers.values()].flat();
    await within('the last answers', async () => {
      while (all().length < this.#asked) await once(this.#socket, 'message');
    });
    return all();
  }
}

async function udpPort(actor: Actor): Promise<number> {
  return (await actor.event('udp'))['port'] as number;
}

for (const probation of [{ ms: 0 }, { ms: 150, interval: 50 }]) {
  test(`a UDP socket is handed over: no datagram is lost or answered twice (probation ${probation.ms} ms)`, async (t) => {
    const stage = await Stage.open(t, { udp: { port: 0, address: '127.0.0.1' }, probation });
    const first = await stage.start();
    const port = await udpPort(first);
    const load = new UdpLoad(t, port);
    await load.answeredBy(first.pid);
    const second = await stage.start();
    assert.equal(await udpPort(second), port, 'a port that the kernel picked stays');
    await first.event('udp closed');
    await load.answeredBy(second.pid);
    const numbers = await load.stop();
    assert.equal(numbers.length, load.asked, 'lost');
    assert.equal(new Set(numbers).size, numbers.length, 'answered twice');
    assert.equal(await first.exit(), 0);
  });
}

test('a UDP socket whose new process fails on probation was never left by the old one', async (t) => {
  const udp = { port: 0, address: '127.0.0.1' };
  const stage = await Stage.open(t, { udp, probation: { ms: 60_000, interval: 20 } });
  const first = await stage.start();
  const load = new UdpLoad(t, await udpPort(first));
  const second = await stage.start();
  await load.answeredBy(second.pid, 1);
  await second.call('fail', { reason: 'no good' });
  assert.equal(await second.exit(), 1);
  await load.answeredBy(first.pid);
  assert.equal(new Set(await load.stop()).size, load.asked);
});

test('a UDP socket is bound anew where the address has changed', async (t) => {
  const stage = await Stage.open(t);
  const port = await freePort();
  const first = await stage.start({ udp: { port: 0, address: '127.0.0.1' } });
  const second = await stage.start({ udp: { port, address: '127.0.0.1' } });
  assert.notEqual(await udpPort(first), port);
  assert.equal(await udpPort(second), port);
  const load = new UdpLoad(t, port);
  await load.answeredBy(second.pid);
  await load.stop();
});

test('a datagram socket is handed over with its file, which goes with the last process', async (t) => {
  const stage = await Stage.open(t);
  const inbox = stage.file('inbox');
  const script = { datagram: inbox };
  const client = new UnixDatagram().bind(stage.file('client'));
  t.after(() => client.close());
  const ask = async (text: string): Promise<string> => {
    await client.send(text, inbox);
    return await within('an answer', async (signal) => (await client.receive({ signal })).data.toString());
  };
  const first = await stage.start(script);
  assert.equal(await ask('1'), `${first.pid} 1`);
  const second = await stage.start(script);
  assert.equal(await first.exit(), 0);
  assert.ok(existsSync(inbox));
  assert.equal(await ask('2'), `${second.pid} 2`);
  await second.call('close');
  assert.ok(!existsSync(inbox), 'the file is left');
  assert.equal(await second.exit(), 0);
});

test('a file that was put is taken by the next process, and by the one after it', async (t) => {
  const stage = await Stage.open(t);
  writeFileSync(stage.file('log'), 'a line\n');
  const script = { files: { log: stage.file('log') } };
  const first = await stage.start(script);
  await stage.upgrade(first, script);
  writeFileSync(stage.file('log'), 'it is one file\n'); // the offset is shared, too: read to the end by now
  const third = await stage.start(script);
  const taken = await third.event('taken');
  assert.equal(taken['text'], 'it is one file\n'.slice('a line\n'.length));
});

test('what was put and is not taken is closed at ready(), and the receipt says so', async (t) => {
  const stage = await Stage.open(t);
  writeFileSync(stage.file('log'), '');
  const first = await stage.start({ files: { log: stage.file('log') } });
  const receipt = await first.call<Receipt>('upgrade', stage.options());
  const second = await stage.next();
  assert.deepEqual(receipt.listeners, { inherited: ['web'], bound: [], closed: ['log'] });
  const { listeners } = await second.call<HandoffStatus>('status');
  assert.deepEqual(
    listeners.map(({ name }) => name),
    ['web'],
  );
  await second.event('settled');
  const before = await second.call<number>('descriptors');
  const third = await stage.upgrade(second, { listeners: [web()] });
  await third.event('settled'); // its own connection to the second one is closed, too
  assert.ok((await third.call<number>('descriptors')) <= before);
});

test('put() lends, keeps one duplicate a name, and lets go of it with close()', async (t) => {
  const { reader, writer } = openPipe(t);
  const handoff = await createHandoff({ name: 'others', address: `@fdpass-others-${process.pid}` });
  t.after(() => handoff.close());
  handoff.put('pipe', writer);
  handoff.put('pipe', writer);
  assert.equal(handoff.take('pipe'), undefined, 'it was not inherited');
  assert.match(handoff.status().listeners[0]?.address ?? '', /pipe/);
  writeNow(writer, 'still ours');
  writer.close();
  assert.equal(readNow(reader), 'still ours');
  assert.equal(readNow(reader), undefined, 'nobody keeps the pipe open');
  await handoff.close();
  assert.equal(readNow(reader), '', 'somebody keeps the pipe open');
});

test('names are taken once, and what belongs before ready() is refused behind it', async (t) => {
  const handoff = await createHandoff({ name: 'others', address: `@fdpass-names-${process.pid}` });
  t.after(() => handoff.close());
  const socket = await handoff.bindUdp('udp', { port: 0, address: '127.0.0.1' });
  const { fd } = Fd.dup(0);
  const stdin = Fd.adopt(fd);
  t.after(() => stdin.close());
  assert.throws(() => handoff.put('udp', stdin), { code: 'ERR_HANDOFF_NAME_TAKEN' });
  assert.throws(() => handoff.put('(control)', stdin), { code: 'ERR_OUT_OF_RANGE' });
  await assert.rejects(handoff.bindDatagram('udp', '@x'), { code: 'ERR_HANDOFF_NAME_TAKEN' });
  await assert.rejects(handoff.bindUdp('more', { port: 0, address: 'localhost' }), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  const listening = once(socket, 'listening');
  await handoff.ready();
  await listening;
  await assert.rejects(handoff.bindUdp('more', { port: 0 }), { code: 'ERR_HANDOFF_STATE' });
  assert.throws(() => handoff.take('udp'), { code: 'ERR_HANDOFF_STATE' });
  const taken = await assert.rejects(
    createHandoff({ name: 'others', address: `@fdpass-names2-${process.pid}` }).then(async (other) => {
      t.after(() => other.close());
      await other.bindUdp('udp', { port: socket.address().port, address: '127.0.0.1' });
    }),
    { code: 'EADDRINUSE' },
  );
  assert.equal(taken, undefined);
});
