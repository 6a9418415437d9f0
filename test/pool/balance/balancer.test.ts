// least() and sticky(): real connections, accepted and handed to workers that are played here.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { adoptSocket, Fd, UnixAddress, UnixSeqpacket } from 'fdpass';
import { SOCK_STREAM } from '#fdpass/fd/describe';
import { binding } from '#fdpass/native/binding';
import type { Balancer, BalancerOptions, Target } from '#fdpass/pool/balance/balancer';
import { least } from '#fdpass/pool/balance/least';
import { type StickyOptions, sticky } from '#fdpass/pool/balance/sticky';
import { byCookie } from '#fdpass/pool/balance/sticky-key';
import { encode, LINK_OPTIONS } from '#fdpass/worker/link';
import { fdCount } from '../../helpers/fd-count';
import { within } from '../../helpers/stage';
import { tmpDir } from '../../helpers/tmp-dir';

const MESSAGE = encode({ type: 'connections' });

/** A worker that keeps copies, as the kernel does, of as many as it has room for. */
class FakeWorker implements Target {
  readonly worker: number;
  readonly got: Fd[] = [];
  /** Descriptors of each message. */
  readonly sizes: number[] = [];
  room = Number.POSITIVE_INFINITY;
  refused = 0;
  more = 0;
  onSend = (): void => {};

  constructor(worker: number) {
    this.worker = worker;
  }

  get open(): number {
    return this.got.length + this.more;
  }

  trySend(message: Buffer, fds: readonly number[]): boolean {
    assert.equal(message, MESSAGE);
    this.onSend();
    if (this.got.length + fds.length > this.room) {
      this.refused++;
      return false;
    }
    this.got.push(...fds.map((fd) => Fd.dup(fd)));
    this.sizes.push(fds.length);
    return true;
  }
}

interface Stage {
  balancer: Balancer;
  workers: FakeWorker[];
  errors: Error[];
  connect(count: number): Promise<net.Socket[]>;
  /** So many connections have come to the workers. */
  delivered(count: number): Promise<void>;
}

interface StageOptions extends Partial<StickyOptions> {
  workers?: number;
  unix?: boolean;
}

function stage(
  t: TestContext,
  make: (options: BalancerOptions) => Balancer,
  { workers: size = 2, unix = false, ...more }: StageOptions = {},
): Stage {
  const file = path.join(tmpDir(t), 'a.sock');
  const listener = Fd.own(unix ? listenUnix(file) : binding.listenTcp('127.0.0.1', 0, 511, false, false));
  const to = unix ? { path: file } : { host: '127.0.0.1', port: binding.localInetAddress(listener.fd).port };
  const workers = Array.from({ length: size }, (_, index) => new FakeWorker(index + 1));
  const errors: Error[] = [];
  const balancer = make({ listener, message: MESSAGE, onError: (error) => errors.push(error), ...more });
  const clients: net.Socket[] = [];
  t.after(async () => {
    balancer.close();
    for (const { got } of workers) Fd.closeAll(got);
    for (const client of clients) client.destroy();
    await Promise.all(clients.map((client) => client.closed || once(client, 'close')));
    listener.close();
  });
  const connect = async (count: number): Promise<net.Socket[]> => {
    const made = Array.from({ length: count }, () => net.connect(to).on('error', () => {}));
    clients.push(...made);
    await Promise.all(made.map((client) => once(client, 'connect')));
    return made;
  };
  const delivered = (count: number): Promise<void> =>
    within(`${count} connections`, async () => {
      while (workers.reduce((sum, { got }) => sum + got.length, 0) < count) await nextTurn();
    });
  return { balancer, workers, errors, connect, delivered };
}

function listenUnix(file: string): number {
  const fd = binding.openSocket(SOCK_STREAM);
  binding.bind(fd, UnixAddress.path(file).sunPath);
  binding.listen(fd, 511);
  return fd;
}

const countsOf = (workers: FakeWorker[]) => workers.map(({ got }) => got.length);

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn();
}

test('least: connections are split evenly, sent many at a time, and not one stays open here', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, least, { workers: 3 });
  balancer.setTargets(workers);
  const before = fdCount();
  await connect(90);
  assert.equal(fdCount(), before + 90, 'the clients: nobody has accepted yet');
  balancer.setAccepting(true);
  await delivered(90);
  assert.deepEqual(countsOf(workers), [30, 30, 30]);
  assert.ok(Math.max(...workers.flatMap(({ sizes }) => sizes)) >= 10, 'in batches');
  assert.equal(fdCount(), before + 180, 'the clients, and the copies of the workers');
  assert.equal(balancer.held, 0);
});

test('least: whoever has fewer is filled up first', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, least);
  (workers[0] as FakeWorker).more = 10;
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  await connect(20);
  await delivered(20);
  assert.deepEqual(countsOf(workers), [5, 15]);
});

test('the bytes of a connection reach the worker: it is passed as it came', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, least, { workers: 1 });
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  const [client] = (await connect(1)) as [net.Socket];
  client.write('word');
  await delivered(1);
  const socket = adoptSocket((workers[0] as FakeWorker).got.pop() as Fd);
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(data.toString(), 'word');
  socket.destroy();
});

test('without a worker clients wait in the queue of the kernel, and come with the first one', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, least, { workers: 1 });
  balancer.setAccepting(true);
  const before = fdCount();
  await connect(5);
  await turns();
  assert.equal(fdCount(), before + 5);
  balancer.setTargets(workers);
  await delivered(5);
  balancer.setTargets([]);
  await connect(1);
  await turns();
  assert.equal(fdCount(), before + 11);
  assert.equal(balancer.held, 0);
});

test('what one worker refuses another one takes', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, least, { workers: 3 });
  const [first, second, third] = workers as [FakeWorker, FakeWorker, FakeWorker];
  third.room = 0;
  first.room = 0;
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  await connect(9);
  await delivered(9);
  assert.equal(second.got.length, 9);
  assert.equal(balancer.held, 0);
});

test('with all workers full at most one batch is taken, and delivered when there is room', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, least);
  for (const worker of workers) worker.room = 0;
  balancer.setTargets(workers);
  await connect(100);
  const before = fdCount();
  balancer.setAccepting(true);
  await within('the first batch', async () => {
    while (balancer.held === 0) await nextTurn();
  });
  await turns();
  assert.equal(balancer.held, 64);
  assert.equal(fdCount(), before + 64);
  const refusals = workers.map(({ refused }) => refused);
  assert.ok(
    refusals.every((count) => count < 5),
    `nobody is asked in a loop: ${refusals}`,
  );
  for (const worker of workers) worker.room = Number.POSITIVE_INFINITY;
  balancer.resume();
  assert.equal(balancer.held, 0);
  await delivered(100);
  assert.deepEqual(countsOf(workers), [50, 50]);
});

test('it tries again by itself when nobody says that there is room, and goes on after a target has thrown', async (t) => {
  const { balancer, workers, errors, connect, delivered } = stage(t, least, { workers: 1 });
  const [worker] = workers as [FakeWorker];
  worker.onSend = () => {
    worker.onSend = () => {};
    throw Object.assign(new Error('sendmsg ETOOMANYREFS'), { code: 'ETOOMANYREFS' });
  };
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  await connect(2);
  await delivered(2);
  assert.equal(errors.length, 1);
});

test('the workers may change, and the balancer close, while a message is sent', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, least, { workers: 3 });
  const [first, second, third] = workers as [FakeWorker, FakeWorker, FakeWorker];
  first.onSend = () => {
    first.room = 0;
    first.onSend = () => {};
    balancer.setTargets([third, second]);
  };
  balancer.setTargets(workers);
  await connect(30);
  const before = fdCount();
  balancer.setAccepting(true);
  await delivered(30);
  assert.equal(first.got.length, 0);
  assert.equal(fdCount(), before + 30);
  third.room = 0;
  second.onSend = () => {
    second.room = 0;
    balancer.close();
  };
  const clients = await connect(3);
  await Promise.all(clients.map((client) => client.closed || once(client.resume(), 'close')));
});

test('closing it closes what it holds, and leaves the listener', async (t) => {
  const { balancer, workers, connect } = stage(t, least, { workers: 1 });
  (workers[0] as FakeWorker).room = 0;
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  const [client] = (await connect(1)) as [net.Socket];
  await within('the connection', async () => {
    while (balancer.held === 0) await nextTurn();
  });
  const closed = once(client.resume(), 'close');
  balancer.close();
  assert.equal(balancer.held, 0);
  await closed;
});

test('sticky by address: all of a client go to one worker, and elsewhere once that is gone', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, sticky, { workers: 3 });
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  await connect(10);
  await delivered(10);
  const home = workers.find(({ got }) => got.length === 10) as FakeWorker;
  assert.ok(home !== undefined, `${countsOf(workers)}`);
  balancer.setTargets(workers.filter((worker) => worker !== home).reverse());
  await connect(10);
  await delivered(20);
  assert.deepEqual(countsOf(workers).sort(), [0, 10, 10]);
  balancer.setTargets([...workers].reverse());
  await connect(10);
  await delivered(30);
  assert.equal(home.got.length, 20, 'it is back in its place');
});

test('sticky: clients of AF_UNIX, which have no address, go to the least loaded', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, sticky, { unix: true });
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  await connect(10);
  await delivered(10);
  assert.deepEqual(countsOf(workers), [5, 5]);
});

const request = (sid: number) => `GET / HTTP/1.1\r\nHost: a\r\nCookie: sid=${sid}\r\n\r\n`;

test('sticky by a cookie: however it comes in pieces, one worker gets all of a session, with every byte', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, sticky, { workers: 4, key: byCookie('sid') });
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  const homes = new Map<number, FakeWorker>();
  let count = 0;
  for (let round = 0; round < 3; round++) {
    for (let sid = 0; sid < 8; sid++) {
      const [client] = (await connect(1)) as [net.Socket];
      const text = request(sid);
      if (round > 0) {
        client.setNoDelay().write(text.slice(0, round * 15));
        await turns();
      }
      client.write(text.slice(round * 15));
      const before = countsOf(workers);
      await delivered(++count);
      const home = workers.find((worker, index) => worker.got.length > (before[index] as number));
      assert.equal(homes.get(sid) ?? home, home);
      homes.set(sid, home as FakeWorker);
      const head = Buffer.alloc(99);
      const fd = (home as FakeWorker).got.at(-1) as Fd;
      const { size } = binding.receiveRaw(fd.fd, [head], 0, 0);
      assert.equal(head.toString('latin1', 0, size), text);
    }
  }
  assert.ok(new Set(homes.values()).size > 1);
  assert.equal(balancer.held, 0);
});

test('sticky by bytes: silence, too many bytes, an end and a key function that throws leave it to the address', async (t) => {
  const key = (head: Buffer) => {
    if (head.includes('throw')) throw new Error('of the program');
    return head.includes('none') ? null : undefined;
  };
  const { balancer, workers, errors, connect, delivered } = stage(t, sticky, {
    key,
    maxBytes: 64,
    timeoutMs: 50,
  });
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  const clients = (await connect(5)) as [net.Socket, net.Socket, net.Socket, net.Socket, net.Socket];
  clients[0].write('throw');
  clients[1].write('none');
  clients[2].write('x'.repeat(64));
  clients[3].end();
  await delivered(5); // the last one says nothing
  assert.deepEqual(countsOf(workers).sort(), [0, 5]);
  assert.match(String(errors), /of the program/);
});

test('sticky by bytes: who stops accepting waits for nobody, and who closes closes those that it waited for', async (t) => {
  const { balancer, workers, connect, delivered } = stage(t, sticky, {
    key: () => undefined,
    timeoutMs: 100_000,
  });
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  await connect(3);
  const waited = () =>
    within('three connections', async () => {
      while (balancer.held < 3) await nextTurn();
    });
  await waited();
  balancer.setAccepting(false);
  assert.equal(balancer.held, 0);
  await delivered(3);
  balancer.setAccepting(true);
  const clients = await connect(3);
  await waited();
  const closed = Promise.all(clients.map((client) => once(client.resume(), 'close')));
  balancer.close();
  await closed;
});

test('over a real link that nobody reads it stops, and goes on when the worker reads', async (t) => {
  const { balancer, connect } = stage(t, least);
  const [ours, theirs] = UnixSeqpacket.pair(LINK_OPTIONS);
  t.after(async () => {
    await ours.close();
    await theirs.close();
  });
  ours.setSendBufferSize(1); // the kernel makes it its least
  ours.on('drain', () => balancer.resume());
  let sent = 0;
  balancer.setTargets([
    {
      worker: 1,
      get open() {
        return sent;
      },
      trySend(message, fds) {
        if (!ours.trySend(message, { fds })) return false;
        sent += fds.length;
        return true;
      },
    },
  ]);
  balancer.setAccepting(true);
  let count = 0;
  while (balancer.held === 0) {
    await connect(1);
    count++;
    await turns(2);
  }
  let received = 0;
  theirs.on('message', ({ fds }) => {
    received += fds.length;
    Fd.closeAll(fds);
  });
  await connect(2);
  await within('all connections', async () => {
    while (received < count + 2) await nextTurn();
  });
  assert.equal(balancer.held, 0);
});

test('without free descriptors it says so once, and accepts when there are some', async (t) => {
  const { balancer, workers, errors, connect, delivered } = stage(t, least);
  const { accept } = binding;
  t.mock.method(binding, 'accept', () => -24);
  balancer.setTargets(workers);
  balancer.setAccepting(true);
  await connect(2);
  await within('the error', async () => {
    while (errors.length === 0) await nextTurn();
  });
  t.mock.method(binding, 'accept', accept);
  await delivered(2);
  assert.deepEqual(
    errors.map((error) => (error as NodeJS.ErrnoException).code),
    ['EMFILE'],
  );
});
