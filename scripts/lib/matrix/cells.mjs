// The cells of the matrix: which runtime runs which test files, how, and what cannot work there.
import { compiledTest, inWorker, underBun, underDeno, underNode } from './run-file.mjs';

// Sockets, descriptors, the handoff between processes, and the conformance rows: everything that meets the runtime.
const sockets = ['close', 'datagram', 'descriptors', 'messages', 'receive', 'room', 'seqpacket-server'].map(
  (name) => `sockets/${name}`,
);
const streams = ['stream', 'stream-fds', 'stream-send', 'stream-server'].map((name) => `sockets/${name}`);
const fds = ['fd/address', 'fd/fd', 'fd/kind', 'fd/lend'];
const adopting = ['fd/adopt', 'fd/adopt-stream'];
const rows = ['abstract', 'dgram', 'lifetime', 'path', 'rights', 'seqpacket', 'stream'].map(
  (name) => `conformance/${name}`,
);
const handoff = ['handoff/gate', 'handoff/others', 'handoff/state', 'handoff/upgrade'];
const lifeCycle = ['lifecycle/process', 'lifecycle/reuse', 'lifecycle/worker'];
const permission = ['runtimes/permission'];

const everything = [...fds, ...adopting, ...sockets, ...streams, ...rows, ...handoff, ...lifeCycle];
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
      files: [...everything, ...permission],
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
    files: [...everything, ...permission],
    run: underNode,
    // Only prebuilds/ has a binary for that CPU.
    env: { PREBUILDS_ONLY: '1' },
    seconds: 300,
  },
  { name: 'bun', kind: 'bun', ...x64, files: [...fds, ...sockets, ...streams], run: underBun },
  {
    name: 'bun-musl',
    kind: 'bun-musl',
    cpu: 'x64',
    libc: 'musl',
    files: [...fds, ...sockets, ...streams],
    run: underBun,
  },
  { name: 'deno', kind: 'deno', ...x64, files: [...sockets, ...streams], run: underDeno },
];
