// The addon as a file: one binary for glibc from 2.17 on and for musl, so it may ask for nothing that one of them lacks.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

const addon = path.join(path.dirname(require.resolve('fdpass/package.json')), 'build/Release/fdpass.node');

/** Of libc, in glibc 2.17 and in musl under these names. Weak ones may be missing. */
const ALLOWED = new Set(
  `_ITM_deregisterTMCloneTable _ITM_registerTMCloneTable __cxa_finalize __gmon_start__ __errno_location
   abort accept4 bind close connect dup2 epoll_create1 epoll_ctl epoll_wait eventfd fchmod fcntl flock free getpeername
   getsockname getsockopt if_indextoname if_nametoindex inet_ntop inet_pton ioctl listen malloc memchr memcmp memcpy
   memmove memset open poll pthread_create pthread_join pthread_sigmask recvmmsg recvmsg send sendmmsg sendmsg setsockopt
   shutdown sigfillset socket socketpair strlen strnlen syscall write`.split(/\s+/),
);

/** Of libuv. Deno has few of its functions, and one that it lacks would keep the whole addon from loading. */
const ALLOWED_OF_LIBUV = new Set(
  'uv_close uv_poll_init uv_poll_start uv_poll_stop uv_ref uv_unref'.split(' '),
);

function symbols(...options: string[]): string[] {
  const lines = execFileSync('nm', ['-D', ...options, addon], { encoding: 'utf8' })
    .trim()
    .split('\n');
  return lines.map((line) => line.trim().split(' ').at(-1) as string);
}

test('the addon asks for symbols of Node-API, libuv and every libc, without a version', () => {
  const foreign = symbols('--undefined-only').filter(
    (name) => !/^(napi|node_api)_\w+$/.test(name) && !ALLOWED.has(name) && !ALLOWED_OF_LIBUV.has(name),
  );
  assert.deepEqual(foreign, []);
});

test('the addon names no library that would have to be there', () => {
  const dynamic = execFileSync('readelf', ['--dynamic', '--wide', addon], { encoding: 'utf8' });
  assert.doesNotMatch(dynamic, /NEEDED/);
});

test('the addon shows its two entry points and nothing else', () => {
  assert.deepEqual(symbols('--defined-only').sort(), [
    'napi_register_module_v1',
    'node_api_module_get_api_version_v1',
  ]);
});
