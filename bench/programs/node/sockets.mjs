// One message on each of many connections, an answer on each, then the next round.
import { setImmediate as nextTurn } from 'node:timers/promises';

import { Course } from './course.mjs';
import { Meter } from './meter.mjs';
import { sayReady } from './ready.mjs';
import { idleAfterStop } from './stop.mjs';

/** The first sockets pay for code that is compiled and buffers that are shared. */
const kFirstSockets = 100;

export async function receiver(contender, options) {
  const meter = new Meter(options);
  const answer = Buffer.alloc(options.size);
  const memory = new MemoryPerSocket(options.sockets);
  const message = (_data, _fds, reply) => {
    reply(answer);
    meter.add(1);
    memory.onMessage();
  };
  sayReady(await contender.serve(options, { message, open: () => memory.onOpen(), end() {} }));
  await idleAfterStop(() => meter.total);
  return { ...meter.report(), ...memory.report() };
}

export async function sender(contender, options) {
  let answers = 0;
  let roundEnded = () => {};
  const message = () => {
    if (++answers === options.sockets) roundEnded();
  };
  const connections = [];
  for (let i = 0; i < options.sockets; i++) {
    connections.push(await connectWhenRoom(contender, options, { message }));
  }
  const course = new Course({ ...options, checkEvery: 1 });
  for (let bytes = course.next(); bytes !== undefined; bytes = course.next()) {
    answers = 0;
    const answered = new Promise((resolve) => {
      roundEnded = resolve;
    });
    for (const connection of connections) connection.send(bytes);
    await answered;
  }
  const { total, measured, cpuUs } = course.report();
  return { total: total * options.sockets, measured: measured * options.sockets, cpuUs };
}

/** Who connects without waiting is told EAGAIN while the backlog is full. */
async function connectWhenRoom(contender, options, on) {
  for (;;) {
    try {
      return await contender.connect(options, on);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      await nextTurn();
    }
  }
}

/** Resident bytes per socket, from the hundredth on: when all are open, and when each has had a message. */
class MemoryPerSocket {
  #sockets;
  #open = 0;
  #messages = 0;
  #before;
  #idle;
  #used;

  constructor(sockets) {
    this.#sockets = sockets;
  }

  onOpen() {
    this.#open++;
    if (this.#open === kFirstSockets) this.#before = settled();
    if (this.#open === this.#sockets && this.#before !== undefined) this.#idle = settled();
  }

  onMessage() {
    this.#messages++;
    if (this.#messages === this.#sockets && this.#idle !== undefined) this.#used = settled();
  }

  report() {
    if (this.#used === undefined) return {};
    const count = this.#sockets - kFirstSockets;
    return {
      bytesPerSocket: (this.#idle - this.#before) / count,
      bytesPerUsedSocket: (this.#used - this.#before) / count,
    };
  }
}

function settled() {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}
