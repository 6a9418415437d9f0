// UnixAddress: every way to write one, the limits to the byte, and how it is shown.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { type AddressLike, UnixAddress, UnixDatagram } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { closeAfter } from '../helpers/link';
import { tmpDir } from '../helpers/tmp-dir';

const ways: [string, AddressLike, 'path' | 'abstract', Buffer, string][] = [
  ["'@name'", '@name', 'abstract', Buffer.from('name'), '@name'],
  ["'\\0name'", '\0name', 'abstract', Buffer.from('name'), '@name'],
  ['the empty abstract name', '@', 'abstract', Buffer.alloc(0), '@'],
  ['a path', '/run/a.sock', 'path', Buffer.from('/run/a.sock'), '/run/a.sock'],
  ['./@name', './@name', 'path', Buffer.from('./@name'), './@name'],
  ['an umlaut', '/run/ü', 'path', Buffer.from('/run/ü'), '/run/ü'],
  ['a file URL', new URL('file:///run/a%20b'), 'path', Buffer.from('/run/a b'), '/run/a b'],
  ['bytes of a path', Buffer.from('a.sock'), 'path', Buffer.from('a.sock'), 'a.sock'],
  ["bytes that begin with '@'", Buffer.from('@x'), 'path', Buffer.from('@x'), '@x'],
  [
    'bytes with a leading NUL',
    Buffer.from('\0a\0\xff', 'latin1'),
    'abstract',
    Buffer.from('a\0\xff', 'latin1'),
    '@a\\x00\\xff',
  ],
  ['a Uint8Array', new Uint8Array([0, 65]), 'abstract', Buffer.from('A'), '@A'],
  [
    'bytes that are no UTF-8',
    Buffer.from([0x2f, 0xff, 0x41]),
    'path',
    Buffer.from([0x2f, 0xff, 0x41]),
    '/\\xffA',
  ],
  ['a control character', '/a\nb\x1b', 'path', Buffer.from('/a\nb\x1b'), '/a\\x0ab\\x1b'],
  ['a backslash', '/a\\x41', 'path', Buffer.from('/a\\x41'), '/a\\x5cx41'],
];

for (const [title, given, kind, bytes, text] of ways) {
  test(`${title} is read as ${kind} ${text}`, () => {
    const address = UnixAddress.from(given);
    assert.equal(address.kind, kind);
    assert.deepEqual(address.bytes, bytes);
    assert.equal(address.toString(), text);
    assert.equal(inspect(address), `UnixAddress { ${text} }`);
    assert.equal(UnixAddress.from(address), address);
  });
}

test("path() takes a leading '@' as the name of a file", () => {
  assert.equal(UnixAddress.path('@name').kind, 'path');
  assert.deepEqual(UnixAddress.path('@name').bytes, Buffer.from('@name'));
});

test('abstract() takes any text as the name, an @ included', () => {
  assert.equal(UnixAddress.abstract('@name').toString(), '@@name');
});

test('107 bytes are a path and a name, 108 are refused with what to do', () => {
  assert.equal(UnixAddress.from('x'.repeat(107)).bytes.length, 107);
  assert.equal(UnixAddress.from(`@${'x'.repeat(107)}`).bytes.length, 107);
  assert.throws(() => UnixAddress.from('x'.repeat(108)), {
    name: 'RangeError',
    code: 'ERR_OUT_OF_RANGE',
    message:
      /at most 107 bytes long, it has 108 \(bind in a shorter directory, or give a path relative to it\)/,
  });
  assert.throws(() => UnixAddress.from(`@${'x'.repeat(108)}`), {
    name: 'RangeError',
    code: 'ERR_OUT_OF_RANGE',
    message: /at most 107 bytes long, it has 108/,
  });
});

test('the limit counts bytes, not characters', () => {
  assert.throws(() => UnixAddress.path('ü'.repeat(54)), /it has 108/);
  assert.equal(UnixAddress.path('ü'.repeat(53)).bytes.length, 106);
});

test('107 bytes are really bound, as a path and as a name', (t) => {
  const folder = tmpDir(t);
  const file = path.join(folder, 'x'.repeat(107 - Buffer.byteLength(folder) - 1));
  const name = `@${freshName().padEnd(107, 'x')}`;
  for (const address of [file, name]) {
    const socket = new UnixDatagram().bind(address);
    closeAfter(t, socket);
    assert.ok(socket.address().equals(address));
    assert.equal(socket.address().bytes.length, 107);
  }
});

test('a NUL inside a path is refused, since the kernel would cut the path there', () => {
  assert.throws(() => UnixAddress.path('/a\0b'), { name: 'RangeError', message: /without a NUL byte/ });
  assert.throws(() => UnixAddress.from(Buffer.from('a\0')), { name: 'RangeError' });
});

test('an empty path is refused', () => {
  assert.throws(() => UnixAddress.from(''), { name: 'RangeError', message: /at least one byte/ });
  assert.throws(() => UnixAddress.from(Buffer.alloc(0)), RangeError);
});

test('what is no address is refused, and quoted', () => {
  for (const given of [5, null, undefined, {}, ['@a']]) {
    assert.throws(() => UnixAddress.from(given as unknown as string), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: /^address must be a UnixAddress, a path, '@name', bytes or a file: URL; it is /,
    });
  }
  assert.throws(() => UnixAddress.from(new URL('http://host/a')), { code: 'ERR_INVALID_URL_SCHEME' });
});

test('addresses are equal by kind and bytes', () => {
  assert.ok(UnixAddress.from('@a').equals('\0a'));
  assert.ok(UnixAddress.from('@a').equals(Buffer.from('\0a')));
  assert.ok(UnixAddress.path('/a').equals(pathToFileURL('/a')));
  assert.equal(UnixAddress.from('@a').equals('@a/'), false);
  assert.equal(UnixAddress.path('@a').equals('@a'), false);
  assert.ok(UnixAddress.unnamed.equals(UnixAddress.unnamed));
  assert.equal(UnixAddress.unnamed.equals('@'), false);
});

test('the unnamed address says so', () => {
  assert.equal(UnixAddress.unnamed.kind, 'unnamed');
  assert.equal(UnixAddress.unnamed.bytes.length, 0);
  assert.equal(String(UnixAddress.unnamed), '(unnamed)');
});

test('padded fills a name to 107 bytes, which is another name for the kernel', (t) => {
  const name = freshName();
  const padded = UnixAddress.abstract(name, { padded: true });
  assert.equal(padded.bytes.length, 107);
  assert.deepEqual(padded.bytes.subarray(0, name.length), Buffer.from(name));
  assert.ok(padded.bytes.subarray(name.length).every((byte) => byte === 0));
  const sockets = [new UnixDatagram().bind(padded), new UnixDatagram().bind(`@${name}`)];
  closeAfter(t, ...sockets);
  assert.ok(sockets[0]?.address().equals(padded));
});

test('what bytes gives can be written to without changing the address', () => {
  const source = Buffer.from('/abc');
  const address = UnixAddress.path(source);
  source[1] = 0x58;
  address.bytes[1] = 0x58;
  assert.equal(address.toString(), '/abc');
});

test('a relative path with @ in front is a file of the folder', (t) => {
  const folder = tmpDir(t);
  // chdir() is for the whole process: a child does it.
  const code = `
    process.chdir(${JSON.stringify(folder)});
    const { UnixDatagram, UnixAddress } = require(${JSON.stringify(require.resolve('fdpass'))});
    const socket = new UnixDatagram().bind('./@name');
    console.log(require('node:fs').readdirSync('.').join());
    socket.close();`;
  const { stdout, status } = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' });
  assert.equal(stdout, '@name\n');
  assert.equal(status, 0);
});
