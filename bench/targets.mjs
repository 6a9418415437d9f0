// What fdpass is to reach, as ratios to another contender in the same round; docs/benchmarks.md tells what was.

const packets = ['dgram', 'seqpacket'];

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
];
