// Connections that the server closes as soon as it has accepted them.
import { Course } from './course.mjs';
import { Meter } from './meter.mjs';
import { sayReady } from './ready.mjs';
import { idleAfterStop } from './stop.mjs';

export async function receiver(contender, options) {
  const meter = new Meter(options);
  sayReady(await contender.acceptAndClose(options, () => meter.add(1)));
  await idleAfterStop(() => meter.total);
  return meter.report();
}

/** `sockets` connections are under way at any time. */
export async function sender(contender, options) {
  const course = new Course({ ...options, checkEvery: 1 });
  const visitor = async () => {
    while (course.next() !== undefined) await contender.visit(options);
  };
  await Promise.all(Array.from({ length: options.sockets }, visitor));
  return course.report();
}
