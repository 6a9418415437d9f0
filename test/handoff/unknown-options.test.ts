// Options that are misspelt or contradict each other are refused: nobody goes without a protection that was asked for.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { createHandoff, type Handoff, type HandoffOptions, UnixAddress } from 'fdpass';
import { drainWebSockets } from 'fdpass/ws';
import { ask } from '#fdpass/handoff/ask';
import { controlAddress, runtimeDirectory } from '#fdpass/handoff/control-address';
import { freshName } from '../helpers/address-name';
import { failureOf } from '../helpers/outcome';
import { type Ending, tmpDir } from '../helpers/tmp-dir';

/** As JavaScript gives them. */
// biome-ignore lint/suspicious/noExplicitAny: the compiler would not let them pass
type Anything = any;

async function saysOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  const { name, code, message } = await failureOf(work);
  assert.deepEqual([name, code], ['TypeError', 'ERR_INVALID_ARG_VALUE'], message);
  return message;
}

function options(more: object): HandoffOptions {
  const name = freshName();
  return { name, address: `@${name}`, ...more };
}

async function handoffOf(t: Ending): Promise<Handoff> {
  const handoff = await createHandoff(options({}));
  t.after(() => handoff.close());
  return handoff;
}

const misspelt: [given: object, text: string][] = [
  [{ probaton: { ms: 5 } }, 'options.probaton is unknown; did you mean probation?'],
  [{ restarton: 'SIGHUP' }, 'options.restarton is unknown; did you mean restartOn?'],
  [{ pidfile: '/run/shop.pid' }, 'options.pidfile is unknown; did you mean pidFile?'],
  [{ alow: undefined }, 'options.alow is unknown; did you mean allow?'],
  [{ timeouts: { wram: 5 } }, 'options.timeouts.wram is unknown; did you mean warm?'],
  [{ probation: { helth: () => true } }, 'options.probation.helth is unknown; did you mean health?'],
  [{ probation: { retries: 3 } }, 'options.probation.retries is unknown; known are ms, interval, health'],
  [{ state: { maxbytes: 5 } }, 'options.state.maxbytes is unknown; did you mean maxBytes?'],
];

for (const [given, text] of misspelt) {
  test(`createHandoff(): ${text}`, async () => {
    assert.equal(await saysOf(createHandoff(options(given))), text);
  });
}

test('a misspelt host of listen() does not listen everywhere', async (t) => {
  const handoff = await handoffOf(t);
  const given: Anything = { port: 0, hots: '127.0.0.1' };
  const text = await saysOf(handoff.listen('web', http.createServer(), given));
  assert.equal(text, 'options.hots is unknown; did you mean host?');
});

test('a host of bindUdp() is no address, and its permissions are none of UDP', async (t) => {
  const handoff = await handoffOf(t);
  const known = 'known are type, port, address, reusePort, ipv6Only';
  for (const name of ['host', 'mode']) {
    const given: Anything = { port: 0, [name]: '127.0.0.1' };
    assert.equal(await saysOf(handoff.bindUdp('dns', given)), `options.${name} is unknown; ${known}`);
  }
});

test('a misspelt option of bindDatagram() is refused before anything is bound', async (t) => {
  const handoff = await handoffOf(t);
  const given: Anything = { maxFDs: 1, mod: 0o600 };
  const address = `@${freshName()}`;
  const text = await saysOf(handoff.bindDatagram('log', address, given));
  assert.equal(text, 'options.maxFDs is unknown; did you mean maxFds?');
  await handoff.bindDatagram('log', address, { maxFds: 1, mode: 0o600, maxBytes: 100, highWaterMark: 1 });
});

test('a misspelt option of upgrade() starts nothing, and is no upgrade that failed', async (t) => {
  const handoff = await handoffOf(t);
  await handoff.ready();
  const given: Anything = { cmd: '/bin/false' };
  const text = await saysOf(handoff.upgrade(given));
  assert.equal(text, 'options.cmd is unknown; known are command, args, env, signal');
  const address = UnixAddress.abstract(handoff.name);
  const answer = await ask({ address, command: 'status' });
  assert.ok(answer.outcome === 'status');
  assert.equal(answer.status.state, 'serving');
  assert.equal(answer.status.lastFailure, undefined);
});

test('a misspelt option of drainWebSockets() is refused', async () => {
  const given: Anything = { overms: 5 };
  const text = await saysOf(() => drainWebSockets(new EventEmitter(), given));
  assert.equal(text, 'options.overms is unknown; did you mean overMs?');
});

test('timeouts, a probation and a state are objects', async () => {
  for (const name of ['timeouts', 'probation', 'state']) {
    for (const value of [3, null, 'text']) {
      const { code, message } = await failureOf(createHandoff(options({ [name]: value })));
      assert.equal(code, 'ERR_INVALID_ARG_TYPE');
      assert.match(message, new RegExp(`^options\\.${name} must be an object; it is `));
    }
  }
});

test('what is known and undefined is left at its default', async (t) => {
  const nothing = { allow: undefined, timeouts: undefined, restartOn: undefined, pidFile: undefined };
  const inner = { state: { maxBytes: undefined, onError: undefined }, probation: { ms: undefined } };
  const handoff = await createHandoff(options({ ...nothing, ...inner }));
  t.after(() => handoff.close());
  const given: Anything = { port: 0, host: '127.0.0.1', path: undefined, drain: undefined };
  await handoff.listen('web', http.createServer(), given);
});

test('a probation may be shorter than the interval of its checks', async () => {
  const handoff = await createHandoff(options({ probation: { ms: 10, interval: 1000 } }));
  await handoff.close();
});

test('a listener has a port or a path, and not both', async (t) => {
  const handoff = await handoffOf(t);
  const both = { port: 0, path: `@${freshName()}` };
  assert.match(
    await saysOf(handoff.listen('web', http.createServer(), both)),
    /^options has a port and a path/,
  );
  const { code, message } = await failureOf(handoff.listen('web', http.createServer(), {}));
  assert.equal(code, 'ERR_INVALID_ARG_TYPE');
  assert.equal(message, 'options must be an object with a port or a path; it is a plain object');
});

const habits: Record<string, [given: unknown[], text: RegExp]> = {
  'a function in place of a server, such as express() gives': [
    ['web', function app() {}, { port: 0 }],
    /^server must be a server of net, .*; it is the function 'app' \(wrap it: http\.createServer\(app\)\)$/,
  ],
  'a server without a name': [
    [http.createServer(), { port: 0 }],
    /^name must be a string; it is an object of class Server \(it comes first: listen\(name, server, options\)\)$/,
  ],
  'a bare port': [
    ['web', http.createServer(), 8080],
    /^options must be an object with a port or a path; it is 8080 \(give \{ port: 8080 \}\)$/,
  ],
  'a bare path': [
    ['web', http.createServer(), '/run/web.sock'],
    /it is '\/run\/web\.sock' \(give \{ port \} or \{ path \}\)$/,
  ],
  'no place': [['web', http.createServer()], /with a port or a path; it is undefined$/],
};

for (const [title, [given, text]] of Object.entries(habits)) {
  test(`listen() with ${title} says what to give`, async (t) => {
    const handoff: Anything = await handoffOf(t);
    const { code, message } = await failureOf(handoff.listen(...given));
    assert.equal(code, 'ERR_INVALID_ARG_TYPE');
    assert.match(message, text);
  });
}

test('a signal that ends services restarts none', async () => {
  for (const restartOn of ['SIGTERM', 'SIGINT']) {
    const text = await saysOf(createHandoff(options({ restartOn })));
    assert.match(
      text,
      new RegExp(`^options\\.restartOn must not be ${restartOn}, which ends a service: .*'SIGHUP'$`),
    );
  }
});

test('a restart on a signal is refused in a worker thread, which gets none', async () => {
  const program = `
    const { createHandoff } = require('fdpass');
    createHandoff({ name: 'worker', address: '@none', restartOn: 'SIGHUP' }).catch(({ name, code, message }) =>
      require('worker_threads').parentPort.postMessage([name, code, message]));`;
  const worker = new Worker(program, { eval: true });
  const exit = once(worker, 'exit');
  const [[name, code, message]] = await once(worker, 'message');
  assert.deepEqual([name, code], ['TypeError', 'ERR_INVALID_ARG_VALUE']);
  assert.match(message, /^options\.restartOn does nothing in a worker thread/);
  await exit;
});

function withRuntimeDirectory(t: Ending, folder: string): void {
  const before = process.env['XDG_RUNTIME_DIR'];
  process.env['XDG_RUNTIME_DIR'] = folder;
  t.after(() => {
    if (before === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = before;
  });
}

test('a relative XDG_RUNTIME_DIR is ignored', (t) => {
  withRuntimeDirectory(t, 'run');
  const relative = runtimeDirectory();
  delete process.env['XDG_RUNTIME_DIR'];
  assert.equal(relative, runtimeDirectory());
});

test('an XDG_RUNTIME_DIR that does not exist is named, with the ways out', async (t) => {
  const missing = path.join(tmpDir(t), 'missing');
  withRuntimeDirectory(t, missing);
  const { code, message } = await failureOf(() => controlAddress('shop', undefined));
  assert.equal(code, 'ENOENT');
  assert.ok(message.includes(`XDG_RUNTIME_DIR names ${missing}, a folder that does not exist`), message);
  assert.match(message, /options\.address$/);
});
