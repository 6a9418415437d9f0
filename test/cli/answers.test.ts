// The commands to a service where there is none, or not ours, or one that makes no sense: exit code 1, and what to do.
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { type UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { decodeFrame, encodeFrame, type FrameType, MAX_FRAME_BYTES } from '#fdpass/handoff/frame';
import { start } from '../helpers/child';
import { bin } from '../helpers/cli';
import { closeAfter } from '../helpers/link';
import { asNobody, NOBODY } from '../helpers/nobody';
import { Service } from '../helpers/service';
import { Stage } from '../helpers/stage';

const COMMANDS = ['restart', 'status', 'abort'] as const;

/** Each command fails with this code and text. */
async function assertFails(service: Service, at: string, code: string, text: RegExp, more: string[] = []) {
  for (const command of COMMANDS) {
    const { code: exit, said, stderr } = await service.json(command, '--address', at, ...more);
    assert.deepEqual([exit, said.outcome, said.code], [1, 'unknown', code], stderr);
    assert.match(stderr, new RegExp(`^fdpass ${command}: `));
    assert.match(said.reason, text);
  }
}

test('where nothing has ever listened they say so', async (t) => {
  const service = new Service(t);
  const at = path.join(service.folder, 'none');
  await assertFails(
    service,
    at,
    'ERR_HANDOFF_NOBODY',
    new RegExp(`^nobody listens on ${at}; 'fdpass ls' shows what there is$`),
  );
  const { code, stderr } = await service.run('status', 'shop');
  assert.equal(code, 1);
  const where = "'fdpass ps' shows what runs\\. A service of another user, or with another XDG_RUNTIME_DIR";
  assert.match(stderr, new RegExp(`^fdpass status: nobody listens on ${service.address}; ${where}`));
});

test('the socket of a killed process is called a leftover', async (t) => {
  const service = new Service(t);
  const pid = await service.start();
  process.kill(pid, 'SIGKILL');
  await service.gone();
  await assertFails(service, service.address, 'ERR_HANDOFF_NOBODY', /; the file is a leftover$/);
});

test('what is no socket is not called a leftover', async (t) => {
  const service = new Service(t);
  const text = /^nobody listens on \S+: it is no socket; give the address of a service/;
  for (const at of ['/dev/null', '/']) await assertFails(service, at, 'ERR_HANDOFF_NOBODY', text);
});

test('a socket of another type is told', async (t) => {
  const service = new Service(t);
  const at = path.join(service.folder, 'stream');
  const server = net.createServer().listen(at);
  t.after(() => void server.close());
  await assertFails(service, at, 'EPROTOTYPE', /no fdpass service$/);
});

/** Listens like a control socket; the test decides what is said. */
function pretend(t: test.TestContext, at: string, onConnection: (socket: UnixSeqpacket) => void): void {
  const server = new UnixSeqpacketServer({ maxBytes: MAX_FRAME_BYTES }).listen(at);
  const sockets: UnixSeqpacket[] = [];
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('error', () => {}); // the command has gone
    onConnection(socket);
  });
  t.after(() => void Promise.all(sockets.map((socket) => socket.close())));
  closeAfter(t, server);
}

function answering(type: FrameType, payload: Record<string, unknown>): (socket: UnixSeqpacket) => void {
  return (socket) =>
    void socket.on('message', ({ data }) => {
      const { txn } = decodeFrame(data);
      void socket.send(encodeFrame({ type, txn, sequence: 0, payload }));
    });
}

const nonsense: Record<string, (socket: UnixSeqpacket) => void> = {
  'random bytes': (socket) => void socket.send('not a frame'),
  'a frame that does not belong here': answering('OFFER', {}),
  'a result of an unknown kind': answering('RESULT', { outcome: 'maybe' }),
  'a result without its fields': answering('RESULT', { outcome: 'busy' }),
  'a status without its fields': answering('RESULT', { outcome: 'status', status: 5 }),
  'progress that is none': answering('PROGRESS', { state: 7 }),
  'a NAK': answering('NAK', { reason: 'no' }),
};
for (const [what, say] of Object.entries(nonsense)) {
  test(`${what} for an answer makes no sense`, async (t) => {
    const service = new Service(t);
    const at = path.join(service.folder, 'odd');
    pretend(t, at, say);
    await assertFails(service, at, 'ERR_HANDOFF_PROTOCOL', /makes no sense: /);
  });
}

test('a process that does not answer is not waited for longer than --timeout says', async (t) => {
  const service = new Service(t);
  const at = path.join(service.folder, 'silent');
  pretend(t, at, () => {});
  const text = /^whoever listens on \S+ has not answered within 200 ms: it is stopped, or too busy$/;
  await assertFails(service, at, 'ERR_HANDOFF_TIMEOUT', text, ['--timeout', '200']);
});

test('a queue that stays full is not waited for longer than --timeout says', async (t) => {
  const service = new Service(t);
  const at = path.join(service.folder, 'full');
  const server = RawSocket.open('seqpacket').bind(at).listen(0);
  const waiting = RawSocket.open('seqpacket').connect(at);
  t.after(() => {
    waiting.close();
    server.close();
  });
  const begin = performance.now();
  const text = /^whoever listens on \S+ has not accepted within 200 ms: it is stopped, or too busy$/;
  await assertFails(service, at, 'ERR_HANDOFF_TIMEOUT', text, ['--timeout', '200']);
  assert.ok(performance.now() - begin < 5_000, 'three commands do not take as long as one silence');
});

test('--timeout is for all attempts together where somebody hangs up, and for the question why', async (t) => {
  const service = new Service(t);
  const at = path.join(service.folder, 'shy');
  let attempts = 0;
  pretend(t, at, (socket) => {
    attempts++;
    if (attempts % 4 !== 0) void socket.close(); // then silence
  });
  const text = /^whoever listens on \S+ has not answered within 400 ms/;
  await assertFails(service, at, 'ERR_HANDOFF_TIMEOUT', text, ['--timeout', '400']);
});

test('without --timeout silence ends after five seconds', async (t) => {
  const service = new Service(t);
  const at = path.join(service.folder, 'silent');
  pretend(t, at, () => {});
  const { code, stderr } = await service.run('status', '--address', at);
  assert.equal(code, 1);
  assert.match(stderr, /has not answered within 5000 ms/);
});

test('something that always hangs up is no service', async (t) => {
  const service = new Service(t);
  const at = path.join(service.folder, 'shy');
  pretend(t, at, (socket) => void socket.close());
  await assertFails(service, at, 'ERR_HANDOFF_PROTOCOL', /^whoever listens on \S+ hangs up on us/);
});

test('a process of an old version is told, and is not harmed', async (t) => {
  const stage = await Stage.open(t);
  await stage.start({}, { fixture: 'handoff-server-1' });
  const service = new Service(t);
  const text =
    /knows no commands, its fdpass is too old \(protocol 1-1\): replace it once by starting the new program/;
  await assertFails(service, stage.control, 'ERR_HANDOFF_VERSION', text);
  const successor = await stage.start();
  assert.equal((await successor.event('ready'))['generation'], 2);
});

test('a service of another name refuses', async (t) => {
  const service = new Service(t);
  const pid = await service.start();
  for (const command of COMMANDS) {
    const { code, said } = await service.json(command, 'web', '--address', service.address);
    assert.deepEqual([code, said], [1, { outcome: 'refused', reason: 'the service here is shop, not web' }]);
  }
  const { code, said } = await service.json('status', '--address', service.address);
  assert.deepEqual([code, said.status.pid], [0, pid], 'without a name whoever is there answers');
});

test('an abstract address works as a path does', async (t) => {
  const service = new Service(t);
  const address = `@fdpass-cli-${process.pid}`;
  const pid = await service.start({ handoff: { address } });
  const { said } = await service.json('status', 'shop', '--address', address);
  assert.equal(said.status.pid, pid);
});

test('the service of another user is not asked, not even by root', asNobody, async (t) => {
  const service = new Service(t);
  const address = `@fdpass-cli-stranger-${process.pid}`;
  chmodSync(service.folder, 0o755);
  await service.start({ uid: NOBODY, handoff: { address } });
  const text = /is of process \d+ of uid 65534, and this is uid 0: run the command as that user$/;
  await assertFails(service, address, 'ERR_HANDOFF_UNTRUSTED_PEER', text);
});

test('another user is not listened to', asNobody, async (t) => {
  const service = new Service(t);
  const pid = await service.start({ handoff: { address: path.join(service.folder, 'control') } });
  chmodSync(service.folder, 0o755);
  const at = path.join(service.folder, 'control');
  const asNobody = async (command: string) => {
    const file = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);
    const args = [file, command, '--address', at, '--json'];
    const { code, stdout } = await start(t, process.execPath, args, { uid: NOBODY, gid: NOBODY }).ended;
    return { exit: code, ...JSON.parse(stdout) };
  };
  for (const command of COMMANDS) {
    const { exit, code, reason } = await asNobody(command);
    assert.deepEqual([exit, code], [1, 'EACCES']);
    assert.match(reason, /uid 65534 may not connect; run the command as the user of the service$/);
  }
  chmodSync(at, 0o666);
  for (const command of COMMANDS) {
    const { exit, code, reason } = await asNobody(command);
    assert.deepEqual([exit, code], [1, 'ERR_HANDOFF_REFUSED']);
    assert.match(reason, /uid 65534 may not take over/);
  }
  const { said } = await service.json('status', '--address', at);
  assert.deepEqual([said.status.pid, said.status.state], [pid, 'serving']);
});
