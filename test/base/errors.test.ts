// The shapes of errors: system failures, misuse, our own.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import test from 'node:test';
import {
  FdpassError,
  hasCode,
  invalidArgType,
  outOfRange,
  systemError,
  withAddress,
} from '#fdpass/base/errors';

test('a system failure has the fields of node:net', () => {
  const error = systemError(-constants.errno.ECONNREFUSED, 'connect', '@name');
  assert.equal(error.message, 'connect ECONNREFUSED @name');
  assert.deepEqual(
    { ...error },
    {
      errno: -constants.errno.ECONNREFUSED,
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '@name',
    },
  );
});

test('an error that libuv has no name for has its own all the same', () => {
  assert.equal(systemError(-109, 'sendmsg').code, 'ETOOMANYREFS');
});

test('a system failure without an address has no such field', () => {
  const error = systemError(-constants.errno.EPIPE, 'sendmsg');
  assert.equal(error.message, 'sendmsg EPIPE');
  assert.equal('address' in error, false);
});

test('an address is added to what was thrown, to the same object', () => {
  const error = systemError(-constants.errno.ENOENT, 'bind');
  assert.equal(withAddress(error, '/a'), error);
  assert.equal(error.message, 'bind ENOENT /a');
  assert.equal(error.address, '/a');
});

test('our own errors carry name, code and cause', () => {
  const cause = new Error('inner');
  const error = new FdpassError('ERR_FDPASS_CLOSED', 'text', { cause });
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'FdpassError');
  assert.equal(error.code, 'ERR_FDPASS_CLOSED');
  assert.equal(error.cause, cause);
});

test('misuse quotes what was given and says what to give', () => {
  const type = invalidArgType('from', 'a number', '5', 'give 5');
  assert.ok(type instanceof TypeError);
  assert.equal(type.message, "from must be a number; it is '5' (give 5)");
  assert.equal((type as NodeJS.ErrnoException).code, 'ERR_INVALID_ARG_TYPE');
  const range = outOfRange('mode', 'an integer from 0 to 511', 512);
  assert.ok(range instanceof RangeError);
  assert.equal(range.message, 'mode must be an integer from 0 to 511; it is 512');
  assert.equal((range as NodeJS.ErrnoException).code, 'ERR_OUT_OF_RANGE');
});

class Secret {
  readonly token = 'token';
  static anonymous = class {};
}

const long = 'x'.repeat(10_000);
const revoked = Proxy.revocable({}, {});
revoked.revoke();

const named: [given: unknown, name: string | RegExp][] = [
  [undefined, 'undefined'],
  [null, 'null'],
  [5, '5'],
  [-0, '-0'],
  [5n, '5n'],
  [true, 'true'],
  [Symbol('s'), 'Symbol(s)'],
  ['text', "'text'"],
  [long, /^'x{40}'\.\.\. 9960 more characters$/],
  [Object.assign(function app() {}, { settings: long }), "the function 'app'"],
  [Secret, "the function 'Secret'"],
  [() => {}, "the function ''"],
  [{ token: long }, 'a plain object'],
  [Object.create(null), 'a plain object'],
  [{ constructor: 5 }, 'an object of class undefined'],
  [revoked.proxy, 'a plain object'],
  [[long], 'an object of class Array'],
  [Buffer.from(long), 'an object of class Buffer'],
  [new Secret(), 'an object of class Secret'],
  [new Secret.anonymous(), /^an object of class anonymous$/],
  [new TypeError(long), 'an object of class TypeError'],
];

for (const [given, name] of named) {
  test(`an argument of a wrong type is named and not emptied out: ${name}`, () => {
    const { message } = invalidArgType('x', 'right', given);
    assert.match(message, /^x must be right; it is /);
    const text = message.slice('x must be right; it is '.length);
    typeof name === 'string' ? assert.equal(text, name) : assert.match(text, name);
  });
}

test('a code is looked for in errors only', () => {
  assert.equal(hasCode(systemError(-constants.errno.EPIPE, 'x'), 'EAGAIN', 'EPIPE'), true);
  assert.equal(hasCode(systemError(-constants.errno.EPIPE, 'x'), 'EAGAIN'), false);
  assert.equal(hasCode({ code: 'EPIPE' }, 'EPIPE'), false);
  assert.equal(hasCode(undefined, 'EPIPE'), false);
});
