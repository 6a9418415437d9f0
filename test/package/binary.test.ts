// The addon as a file: one binary for glibc from 2.17 on and for musl, so it may ask for nothing that one of them lacks.
// Looked at are the one that was built here and, once there is one, what `npm run prebuild` has made for each CPU.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.dirname(require.resolve('fdpass/package.json'));

/** Of libc, in glibc 2.17 and in musl under these names. Weak ones may be missing. */
const ALLOWED = new Set(
  `_ITM_deregisterTMCloneTable _ITM_registerTMCloneTable __cxa_finalize __gmon_start__ __errno_location
   abort accept4 bind close connect dup2 epoll_create1 epoll_ctl epoll_wait eventfd fchmod fcntl flock free getpeername
   getsockname getsockopt if_indextoname if_nametoindex inet_ntop inet_pton ioctl listen malloc memchr memcmp memcpy
   memmove memset open poll pthread_create pthread_join pthread_sigmask send setsockopt
   shutdown sigfillset socket socketpair strlen strnlen syscall waitid waitpid write`.split(/\s+/),
);

/** Of libuv. Deno has few of its functions, and one that it lacks would keep the whole addon from loading. */
const ALLOWED_OF_LIBUV = new Set(
  'uv_close uv_poll_init uv_poll_start uv_poll_stop uv_ref uv_unref'.split(' '),
);

const binaries = [
  'build/Release/fdpass.node',
  ...readdirSync(path.join(root, 'prebuilds'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.node'))
    .map((file) => path.join('prebuilds', file)),
];

/** readelf, unlike nm, reads the files of every CPU. */
function readElf(binary: string, what: string): string {
  return execFileSync('readelf', ['--wide', what, path.join(root, binary)], { encoding: 'utf8' });
}

function symbols(binary: string): { wanted: string[]; shown: string[] } {
  // Num: Value Size Type Bind Vis Ndx Name, where a name has @VERSION behind it if it asks for one.
  const rows = readElf(binary, '--dyn-syms')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([number = '', , , type, , , , name]) => /^\d+:$/.test(number) && type !== 'SECTION' && name);
  const names = (chosen: string[][]) => chosen.map((row) => row[7] as string).sort();
  return {
    wanted: names(rows.filter((row) => row[6] === 'UND')),
    shown: names(rows.filter((row) => row[6] !== 'UND')),
  };
}

for (const binary of binaries) {
  test(`${binary} asks for symbols of Node-API, libuv and every libc, without a version`, () => {
    const { wanted } = symbols(binary);
    assert.ok(wanted.includes('accept4'), 'the list was read');
    const foreign = wanted.filter(
      (name) => !/^(napi|node_api)_\w+$/.test(name) && !ALLOWED.has(name) && !ALLOWED_OF_LIBUV.has(name),
    );
    assert.deepEqual(foreign, []);
  });

  test(`${binary} names no library that would have to be there`, () => {
    const dynamic = readElf(binary, '--dynamic');
    assert.match(dynamic, /SONAME/, 'the section was read');
    assert.doesNotMatch(dynamic, /NEEDED/);
  });

  test(`${binary} shows its two entry points and nothing else`, () => {
    assert.deepEqual(symbols(binary).shown, [
      'napi_register_module_v1',
      'node_api_module_get_api_version_v1',
    ]);
  });
}
