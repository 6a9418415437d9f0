// What fdpass is to reach, as ratios to another contender in the same round, or, without `to`, as the figure itself in its
// `unit`; docs/benchmarks.md tells what was.

const packets = ['dgram', 'seqpacket'];

const pool = (balance, target) => ({ contender: `fdpass-pool-${balance}`, ...target });
const pools = (balances, target) => balances.map((balance) => pool(balance, target));

/** Three standard deviations of a worker's share of two, in % of it: a hash throws a coin for each of 200 clients. */
const kHashed = Math.round(300 * Math.sqrt(1 / 200));

const each = (names, target) =>
  names.map((name) => ({ case: name, contender: 'fdpass', to: 'c', ...target }));

export const targets = [
  ...each(
    packets.map((kind) => `one-way-${kind}-128B`),
    { atLeast: 0.75 },
  ),
  ...each(['one-way-dgram-128B'], { contender: 'fdpass-many', atLeast: 0.9 }),
  ...each(['one-way-dgram-8KiB'], { atLeast: 0.85 }),
  ...each(['one-way-dgram-8KiB'], { contender: 'fdpass-lend', atLeast: 0.85 }),
  ...each(['one-way-dgram-64KiB'], { atLeast: 1 }),
  ...['fdpass-sndbuf', 'fdpass-lend', 'fdpass-lend-sndbuf'].flatMap((contender) =>
    each(['one-way-dgram-64KiB'], { contender, atLeast: 1 }),
  ),
  ...each(['ping-pong-dgram', 'ping-pong-seqpacket', 'ping-pong-stream'], { atMost: 1.45 }),
  ...each(['ping-pong-stream'], { to: 'net', atMost: 1 }),
  ...each(['ping-pong-dgram'], { to: 'unix-dgram', atMost: 1 }),
  ...each(['ping-pong-dgram', 'ping-pong-seqpacket', 'ping-pong-stream'], { to: 'go', atMost: 1 }),
  ...each(['fds-1'], { atLeast: 0.75 }),
  ...each(['fds-1'], { to: 'child-process', atLeast: 15 }),
  ...each(['fds-16', 'fds-253'], { atLeast: 0.95 }),
  ...each(['stream-512KiB'], { contender: 'fdpass-onread', to: 'net', atLeast: 2 }),
  ...each(['stream-512KiB'], { contender: 'fdpass-onread', to: 'net-onread', atLeast: 1 }),
  ...packets.flatMap((kind) =>
    ['fdpass-send', 'fdpass-iterate'].flatMap((contender) =>
      each([`one-way-${kind}-128B`], { contender, atLeast: 0.45 }),
    ),
  ),
  { case: 'memory-idle', contender: 'fdpass', atMost: 8, unit: 'KiB' },
  pool('least', { case: 'pool-requests', to: 'cluster-rr', atLeast: 1.3 }),
  // As fast as any: 0.97 is the noise.
  ...[
    'cluster-rr',
    'cluster-none',
    ...['reuseport', 'least', 'sticky'].map((one) => `fdpass-pool-${one}`),
  ].map((to) => pool('kernel', { case: 'pool-requests', to, atLeast: 0.97 })),
  ...['pool-bursts', 'pool-batches'].flatMap((name) =>
    pools(['least', 'sticky'], { case: name, atMost: 5, unit: 'us' }),
  ),
  ...pools(['least', 'reuseport'], { case: 'pool-split-2', atMost: 5, unit: '% off even' }),
  pool('sticky', { case: 'pool-split-2', atMost: kHashed, unit: '% off even' }),
  ...pools(['kernel', 'reuseport', 'least', 'sticky'], {
    case: 'pool-roll',
    atMost: 0,
    unit: 'failed',
  }),
];
