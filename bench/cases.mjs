// The table of cases. `kinds`: a contender takes part by the first that it knows. `link` goes to both processes as it is.
// `by`: this role is played by another contender. `nodeOnly`: what is measured is Node's.
// `baseline`: ratios are to this contender; C, if none is named.
// `datagramQueue`: net.unix.max_dgram_qlen of the receiver (lib/datagram-queue.mjs).
// `cores` unless --cores says otherwise: ping-pong on one, because waking another processor would be what is measured.

const KiB = 1024;
const MiB = 1024 * KiB;

const pingPong = (name, kinds) => ({
  name: `ping-pong-${name}`,
  title: `ping-pong, 128 B, ${name}`,
  group: 'latency',
  pattern: 'pingpong',
  metric: 'oneWay',
  kinds,
  cores: 'same',
  link: { size: 128 },
});

const oneWay = (kind, size, text) => ({
  name: `one-way-${kind}-${text.replace(' ', '')}`,
  title: `one way, ${text}, ${kind}`,
  group: kind,
  pattern: 'oneway',
  metric: 'messages',
  kinds: kind === 'dgram' ? ['dgram', 'udp', 'ipc'] : [kind],
  ...(kind === 'dgram' ? { datagramQueue: 512 } : {}),
  cores: 'two',
  link: { size },
});

const writes = (size, text) => ({
  ...oneWay('stream', size, text),
  name: `stream-${text.replace(' ', '')}`,
  title: `stream, writes of ${text}`,
  metric: 'bytes',
  kinds: ['stream', 'tcp'],
  link: { size, window: size },
});

const descriptors = (fds) => ({
  name: `fds-${fds}`,
  title: `${fds} descriptor${fds === 1 ? '' : 's'} a message, received, owned and closed`,
  group: 'descriptors',
  pattern: 'oneway',
  metric: 'descriptors',
  kinds: ['seqpacket', 'stream', 'ipc'],
  cores: 'two',
  link: { size: 1, fds, window: Math.max(64, fds) },
});

const sockets = (count) => ({
  name: `sockets-${count}`,
  title: `${count} connection${count === 1 ? '' : 's'}, a message and its answer on each in turn`,
  group: 'sockets',
  pattern: 'sockets',
  metric: 'messages',
  kinds: ['seqpacket', 'stream'],
  cores: 'two',
  link: { size: 128, sockets: count },
});

const connecting = (kind) => ({
  name: `connect-${kind}`,
  title: `connect, accept, close: ${kind}, 16 at once`,
  group: 'sockets',
  pattern: 'connect',
  metric: 'connections',
  kinds: [kind],
  cores: 'two',
  link: { sockets: 16 },
});

const split = (workers) => ({
  name: `pool-split-${workers}`,
  title: `200 clients that keep their connections, over ${workers} workers: the worker that is farthest from an even share`,
  group: 'pool',
  pattern: 'split',
  metric: 'uneven',
  kinds: ['http'],
  cores: 'any',
  link: { workers, sockets: 200, warmMs: 0, runMs: 1000 },
});

const bursts = (name, text, link) => ({
  name,
  title: `processor time of the primary for a connection, of 256 ${text}`,
  group: 'pool',
  pattern: 'requests',
  metric: 'primaryCpu',
  kinds: ['http'],
  by: { sender: 'c' },
  baseline: { name: 'cluster-rr', title: 'RR' },
  cores: 'any',
  link: { workers: 2, sockets: 256, bursts: 1, addresses: 200, warmMs: 1000, ...link },
  quick: { warmMs: 100, runMs: 300 },
});

export const cases = [
  pingPong('dgram', ['dgram', 'udp', 'ipc']),
  pingPong('seqpacket', ['seqpacket']),
  pingPong('stream', ['stream', 'tcp']),
  ...['dgram', 'seqpacket'].flatMap((kind) => [
    oneWay(kind, 128, '128 B'),
    oneWay(kind, KiB, '1 KiB'),
    oneWay(kind, 8 * KiB, '8 KiB'),
    oneWay(kind, 64 * KiB, '64 KiB'),
  ]),
  {
    ...oneWay('dgram', 128, '128 B'),
    name: 'one-way-short-queue',
    title: "one way, 128 B, dgram, with the kernel's default queue of 10",
    kinds: ['dgram'],
    datagramQueue: 10,
  },
  {
    ...oneWay('dgram', 128, '128 B'),
    name: 'one-way-unconnected',
    title: 'one way, 128 B, dgram, not connected: the destination named each time, and often full',
    kinds: ['dgram'],
    datagramQueue: 10,
    link: { size: 128, unconnected: 1 },
  },
  writes(64 * KiB, '64 KiB'),
  writes(512 * KiB, '512 KiB'),
  writes(16 * MiB, '16 MiB'),
  descriptors(1),
  descriptors(16),
  descriptors(253),
  connecting('stream'),
  connecting('seqpacket'),
  sockets(1),
  sockets(10),
  sockets(100),
  sockets(1000),
  {
    ...sockets(1000),
    name: 'memory-idle',
    title: 'resident memory of an idle connection, of 1000',
    group: 'memory',
    metric: 'perSocket',
    nodeOnly: true,
  },
  {
    name: 'memory-flat',
    title: 'growth of the receiver over 10 million messages of 128 B',
    group: 'memory',
    pattern: 'oneway',
    metric: 'growth',
    kinds: ['seqpacket', 'stream'],
    by: { sender: 'c' },
    nodeOnly: true,
    cores: 'two',
    rounds: 1,
    link: { size: 128, messages: 10_000_000, warmMs: 1000 },
    quick: { messages: 200_000, warmMs: 50 },
  },
  {
    name: 'memory-queued',
    title: 'memory beside their bytes for each of 10,000 messages of 1 KiB that wait for a peer',
    group: 'memory',
    pattern: 'queued',
    metric: 'queued',
    kinds: ['seqpacket', 'stream'],
    by: { receiver: 'c' },
    cores: 'two',
    link: { size: KiB, messages: 10_000 },
  },
  {
    name: 'fairness',
    title: 'a timer of 1 ms beside a flood of 128 B from a C program',
    group: 'fairness',
    pattern: 'oneway',
    metric: 'lateness',
    kinds: ['dgram', 'seqpacket', 'stream'],
    by: { sender: 'c' },
    nodeOnly: true,
    cores: 'two',
    link: { size: 128, timer: 1 },
  },
  {
    name: 'import',
    title: 'loading the package in a new process',
    group: 'import',
    pattern: 'import',
    metric: 'import',
    kinds: ['none'],
    alone: true,
    cores: 'any',
    link: {},
  },
  {
    name: 'restart',
    title:
      'requests that fail when a server is replaced under 160 clients who try once; p99 within 1 s of it',
    group: 'restart',
    pattern: 'restart',
    metric: 'failures',
    kinds: ['http'],
    alone: true,
    cores: 'any',
    rounds: 3,
    link: { restarts: 5, runMs: 60_000 },
    quick: { restarts: 1 },
  },
  {
    name: 'pool-requests',
    title:
      'requests over connections that close behind the answer, 2 workers (CPU us in: of the primary alone)',
    group: 'pool',
    pattern: 'requests',
    metric: 'requests',
    kinds: ['http'],
    by: { sender: 'c' },
    baseline: { name: 'cluster-rr', title: 'RR' },
    cores: 'any',
    link: { workers: 2, sockets: 64, addresses: 200, warmMs: 1000, runMs: 3000 },
    quick: { warmMs: 100, runMs: 300 },
  },
  bursts('pool-bursts', 'that come at once, while it accepts', { runMs: 2000 }),
  bursts('pool-batches', 'that wait: it sleeps 30 ms and looks then', { gatherMs: 30, runMs: 3000 }),
  split(2),
  split(4),
  {
    name: 'pool-roll',
    title: 'requests that fail when both workers are replaced under 64 clients who try once',
    group: 'pool',
    pattern: 'roll',
    metric: 'failedPerRoll',
    kinds: ['http'],
    cores: 'any',
    rounds: 3,
    link: { workers: 2, sockets: 64, rolls: 3, warmMs: 300, runMs: 10_000 },
    quick: { rolls: 1, runMs: 4000 },
  },
];
