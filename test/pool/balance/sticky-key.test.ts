// What tells a client by its first bytes, of real clients and of nonsense.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import tls from 'node:tls';
import fc from 'fast-check';
import { byCookie, byServerName, type StickyKey } from '#fdpass/pool/balance/sticky-key';

const sid = byCookie('sid');
const find = (text: string, key: StickyKey = sid) => key(Buffer.from(text, 'latin1'));

test('a cookie is found among others, in the second header, without regard to the case of the header', () => {
  assert.equal(find('GET / HTTP/1.1\r\nHost: a\r\ncOOKIE: a=1; sid=42; b=2\r\n'), '42');
  assert.equal(find('GET / HTTP/1.1\r\nCookie: a=1\r\nCookie:sid=x=y\r\nHost'), 'x=y');
  assert.equal(find('POST /?sid=1 HTTP/1.0\nCookie: sid = 3 \n'), '3');
});

test('a head without it has no key, and one that has not ended may have', () => {
  assert.equal(find('GET / HTTP/1.1\r\nCookie: xsid=1; sid=; SID=2\r\n\r\nCookie: sid=1\r\n'), null);
  assert.equal(find('GET / HTTP/1.1\r\nX-Cookie: sid=1\r\n\r\n'), null);
  for (const part of ['', 'G', 'GET ', 'GET / HTTP/1.1', 'GET / HTTP/1.1\r\nCookie: sid=4'])
    assert.equal(find(part), undefined, part);
});

test('what is no request of HTTP/1 has no key at once', () => {
  for (const text of ['\x16\x03\x01', 'PRI * HTTP/2.0\r\n', ' GET', '\r\n', 'x'.repeat(99), 'GET /\r\n'])
    assert.equal(find(text), null, JSON.stringify(text));
});

test('a name that no cookie can have is refused', () => {
  for (const name of ['', 'a b', 'a=b', 'a;']) {
    assert.throws(() => byCookie(name), { code: 'ERR_INVALID_ARG_VALUE' });
  }
});

/** What a client of TLS sends first. */
async function clientHello(servername: string | undefined): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = tls.connect({
    port,
    host: '127.0.0.1',
    ...(servername === undefined ? {} : { servername }),
  });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  const closed = once(server, 'close');
  client.destroy();
  socket.destroy();
  server.close();
  await closed;
  return hello;
}

/** The same in records of so many bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece);
  }
  return Buffer.concat(records);
}

test('the name of the server is found in a real ClientHello, in however many records, once it is there', async () => {
  const key = byServerName();
  const hello = await clientHello('Shop.Example.COM');
  assert.equal(key(hello), 'shop.example.com');
  assert.equal(key(Buffer.concat([hello, inRecords(hello, 99)])), 'shop.example.com');
  for (const size of [1, 7, 100]) assert.equal(key(inRecords(hello, size)), 'shop.example.com');
  for (const bytes of [hello, inRecords(hello, 50)]) {
    for (let size = 0; size < bytes.length; size++) assert.equal(key(bytes.subarray(0, size)), undefined);
  }
  assert.equal(key(await clientHello(undefined)), null);
});

test('what is no ClientHello has no name', () => {
  const key = byServerName();
  for (const bytes of [
    'GET / HTTP/1.1\r\n',
    '\x16\x02',
    '\x16\x03\x01\x00\x00',
    '\x16\x03\x01\xff\xff',
    '\x16\x03\x01\x00\x04\x02',
  ])
    assert.equal(find(bytes, key), null, JSON.stringify(bytes));
});

test('nonsense gives some key or none, and never throws', async () => {
  const hello = await clientHello('a.example');
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nCookie: b=1; sid=2\r\n\r\n');
  const spoilt = fc
    .tuple(
      fc.constantFrom(hello, request),
      fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 8 }),
      fc.nat(600),
    )
    .map(([bytes, changes, cut]) => {
      const copy = Buffer.from(bytes);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy.subarray(0, copy.length - (cut % copy.length));
    });
  const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(spoilt, anything), (head) => {
      for (const key of [sid, byServerName()]) {
        const found = key(head);
        assert.ok(found === null || found === undefined || typeof found === 'string');
      }
    }),
    { numRuns: 3_000 },
  );
});
