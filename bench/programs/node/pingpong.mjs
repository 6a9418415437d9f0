// One message there, one back, one at a time.
import { Meter } from './meter.mjs';
import { percentile } from './percentile.mjs';
import { sayReady } from './ready.mjs';
import { idleAfterStop } from './stop.mjs';

const kMostRoundTrips = 1 << 21;

export async function receiver(contender, options) {
  const meter = new Meter(options);
  const answer = Buffer.alloc(options.size);
  const whole = whenWhole(options.size);
  const ended = new Promise((resolve) => {
    const message = (data, _fds, reply) => {
      if (!whole(data)) return;
      reply(answer);
      meter.add(1);
    };
    void contender.serve(options, { message, end: resolve }).then(sayReady);
  });
  await Promise.race([ended, idleAfterStop(() => meter.total)]);
  return meter.report();
}

export async function sender(contender, options) {
  const message = Buffer.alloc(options.size);
  const times = new Float64Array(kMostRoundTrips);
  const whole = whenWhole(options.size);
  let count = 0;
  let cpu;
  await new Promise((resolve, reject) => {
    let connection;
    let before = 0;
    let warmEnd = 0;
    const received = (data) => {
      if (!whole(data)) return;
      const now = performance.now();
      if (before >= warmEnd) {
        cpu ??= process.cpuUsage();
        times[count++] = now - before;
      }
      before = now;
      if (now < warmEnd + options.runMs && count < kMostRoundTrips) connection.send(message);
      else resolve();
    };
    contender.connect(options, { message: received }).then((opened) => {
      connection = opened;
      before = performance.now();
      warmEnd = before + options.warmMs;
      connection.send(message);
    }, reject);
  });
  const { user, system } = process.cpuUsage(cpu);
  const sorted = times.subarray(0, count);
  return {
    total: count,
    measured: count,
    cpuUs: user + system,
    p50Us: percentile(sorted, 0.5) * 1000,
    p99Us: percentile(sorted, 0.99) * 1000,
  };
}

/** A stream may bring a message in pieces. */
function whenWhole(size) {
  let got = 0;
  return (data) => {
    got += data.length;
    if (got < size) return false;
    got -= size;
    return true;
  };
}
