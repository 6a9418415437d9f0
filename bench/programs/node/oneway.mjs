// Messages or bytes in one direction as fast as they go, with descriptors if asked for.
import { Course } from './course.mjs';
import { Lateness } from './lateness.mjs';
import { Meter } from './meter.mjs';
import { sayReady } from './ready.mjs';
import { idleAfterStop } from './stop.mjs';

export async function receiver(contender, options) {
  const meter = new Meter(options);
  const lateness = options.timer === 1 ? new Lateness(() => meter.isWarm) : undefined;
  const ended = new Promise((resolve) => {
    const on = { message: counting(meter, options), end: resolve };
    void contender.serve(options, on).then(sayReady);
  });
  await Promise.race([ended, idleAfterStop(() => meter.total)]);
  return { ...meter.report(), ...lateness?.report() };
}

export async function sender(contender, options) {
  const connection = await contender.connect(options, { message() {} });
  const course = new Course(options);
  await connection.flood(course);
  const report = course.report();
  await connection.end();
  return report;
}

/** The meter's unit: descriptors if there are any, bytes of a stream, else messages. */
function counting(meter, { fds, kind }) {
  if (fds > 0) return (_data, count) => meter.add(count);
  if (kind === 'stream' || kind === 'tcp') return (data) => meter.add(data.length);
  return () => meter.add(1);
}
