// Preloaded, it takes from Node what the runtime of FDPASS_TEST_RUNTIME, 'Bun' or 'Deno', does not have.
import dgram from 'node:dgram';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

interface WithHandle {
  _handle: Record<symbol, unknown>;
}

/** A server of http has none of net inside; the constructor of net.Socket ignores `fd`, and connect() takes it. */
function imitateBun(): void {
  const isA = (type: unknown, object: unknown) => Function.prototype[Symbol.hasInstance].call(type, object);
  const isHttp = (object: unknown) => isA(http.Server, object) || isA(https.Server, object);
  Object.defineProperty(http.Server, Symbol.hasInstance, { value: isHttp });
  // Node itself goes on with the one that it has.
  const { Server } = net;
  const isServer = (object: unknown) => isA(Server, object) && !isHttp(object);
  net.Server = new Proxy(Server, {
    get: (target, key) => (key === Symbol.hasInstance ? isServer : Reflect.get(target, key)),
  });
  void [process.stdout, process.stderr]; // those may be made of one
  const { Socket } = net;
  net.Socket = new Proxy(Socket, {
    construct(target, [{ fd: _, ...options } = {}], derived) {
      return Reflect.construct(target, [options], derived);
    },
  });
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]): net.Socket {
    const [{ fd }] = args as [{ fd?: number }];
    if (fd === undefined) return Reflect.apply(connect, this, args);
    const other = new Socket({ fd, manualStart: true } as net.SocketConstructorOpts);
    const { _handle: handle } = other as unknown as WithHandle;
    // Whom the handle reports to.
    for (const symbol of Object.getOwnPropertySymbols(handle))
      if (handle[symbol] === other) handle[symbol] = this;
    Object.assign(this, { _handle: handle }).read(0);
    return this;
  };
}

/** dgram and fs take no descriptor from elsewhere, and the handles of TCP and UDP do not tell theirs. */
function imitateDeno(): void {
  const { bind } = dgram.Socket.prototype;
  dgram.Socket.prototype.bind = function (this: dgram.Socket, ...args: unknown[]): dgram.Socket {
    const [options] = args as [{ fd?: number } | undefined];
    if (options?.fd === undefined) return Reflect.apply(bind, this, args);
    throw Object.assign(new TypeError('Unsupported fd type: UNKNOWN'), { code: 'ERR_INVALID_FD_TYPE' });
  };
  onlyItsOwn();
  const { binding } = process as unknown as {
    binding(name: string): Record<string, { prototype: object }>;
  };
  Object.defineProperty(binding('tcp_wrap')['TCP']?.prototype, 'fd', { get: () => undefined });
  // Nobody else looks there for the handle of a socket of dgram.
  const { getOwnPropertySymbols } = Object;
  Object.getOwnPropertySymbols = (object) =>
    object instanceof dgram.Socket ? [] : getOwnPropertySymbols(object);
}

/** fs knows the numbers that it has opened. */
function onlyItsOwn(): void {
  const { openSync, closeSync, fstatSync } = fs;
  const opened = new Set<number>();
  fs.openSync = (...args) => {
    const number = openSync(...args);
    if (opened.has(number)) throw new Error('closed by somebody else'); // the next file is lost by that
    opened.add(number);
    return number;
  };
  fs.closeSync = (number) => {
    closeSync(number);
    opened.delete(number);
  };
  fs.fstatSync = ((number: number) => {
    if (opened.has(number)) return fstatSync(number);
    throw Object.assign(new Error('EBADF: bad file descriptor, fstat'), { code: 'EBADF' });
  }) as typeof fs.fstatSync;
}

const runtime = process.env['FDPASS_TEST_RUNTIME'];
Object.defineProperty(process.versions, String(runtime).toLowerCase(), { value: '0.0.0' });
if (runtime === 'Bun') imitateBun();
else imitateDeno();
