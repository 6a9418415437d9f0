// The cells of the matrix: which runtime runs which test files, and how.
import { filesBelow } from '../files.mjs';
import { fromRoot } from '../root.mjs';
import { compiledTest, inWorker, underBun, underDeno, underNode } from './run-file.mjs';

// All of these folders, the ones that take longest first.
const whole = [
  'handoff',
  'cli',
  'frameworks',
  'names',
  'conformance',
  'sockets',
  'lifecycle',
  'fd',
  'examples',
  'interop',
]
  .flatMap((folder) => filesBelow(fromRoot('test', folder), ['.test.ts']))
  .filter((file) => !file.includes('/node_modules/'))
  .map((file) => file.slice(fromRoot('test/').length, -'.test.ts'.length));

// Sockets, descriptors, the handoff between processes, and the conformance rows: what meets the kernel.
const sockets = ['close', 'datagram', 'descriptors', 'messages', 'receive', 'room', 'seqpacket-server'].map(
  (name) => `sockets/${name}`,
);
const streams = ['stream', 'stream-fds', 'stream-send', 'stream-server'].map((name) => `sockets/${name}`);
const fds = ['fd/address', 'fd/fd', 'fd/kind', 'fd/lend'];
const adopting = ['fd/adopt', 'fd/adopt-stream'];
const rows = ['abstract', 'dgram', 'lifetime', 'path', 'rights', 'seqpacket', 'stream'].map(
  (name) => `conformance/${name}`,
);
const handoff = ['handoff/upgrade', 'handoff/others', 'handoff/state', 'handoff/gate'];
const lifeCycle = ['lifecycle/process', 'lifecycle/reuse', 'lifecycle/worker'];
const permission = ['runtimes/permission'];
// What works, and the error of what does not.
const foreign = ['runtimes/lacks', 'runtimes/restart', 'runtimes/workers'];

// An emulator takes ten times as long.
const emulated = [
  ...handoff,
  ...permission,
  ...fds,
  ...adopting,
  ...sockets,
  ...streams,
  ...rows,
  ...lifeCycle,
];
// A worker thread has no signals and no process of its own.
const forWorkers = [...fds, ...adopting, ...sockets, ...streams];

const x64 = { cpu: 'x64', libc: 'glibc' };

export const cells = [
  ...[20, 22, 24, 26].flatMap((version) => [
    {
      name: `node${version}`,
      kind: 'node',
      version,
      ...x64,
      files: [...whole, ...permission],
      run: underNode,
    },
    { name: `node${version}-worker`, kind: 'node', version, ...x64, files: forWorkers, run: inWorker },
  ]),
  {
    name: 'node24-poll-thread',
    kind: 'node',
    version: 24,
    ...x64,
    files: [...sockets, ...streams, ...lifeCycle],
    run: underNode,
    env: { NODE_OPTIONS: `--require=${compiledTest('helpers/poll-thread')}` },
  },
  {
    name: 'node24-arm64',
    kind: 'node-arm64',
    version: 24,
    cpu: 'arm64',
    libc: 'glibc',
    files: emulated,
    run: underNode,
    // Only prebuilds/ has a binary for that CPU.
    env: { PREBUILDS_ONLY: '1', TEST_SLOWNESS: '10' },
    seconds: 600,
  },
  { name: 'bun', kind: 'bun', ...x64, files: [...fds, ...sockets, ...streams, ...foreign], run: underBun },
  {
    name: 'bun-musl',
    kind: 'bun-musl',
    cpu: 'x64',
    libc: 'musl',
    files: [...fds, ...sockets, ...streams],
    run: underBun,
  },
  { name: 'deno', kind: 'deno', ...x64, files: [...sockets, ...streams, ...foreign], run: underDeno },
];
