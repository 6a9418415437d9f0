// When a receiver is done: at the end of the connection, or when the harness has closed stdin and nothing comes any more.

const kIdleMs = 20;

/** Resolves when the harness wants the process to stop. */
export function stopped() {
  return new Promise((resolve) => process.stdin.on('end', resolve).on('error', resolve).resume());
}

/** Resolves when told to stop and `count()` does not grow any more. */
export function idleAfterStop(count) {
  return new Promise((resolve) => {
    void stopped().then(() => {
      let last = -1;
      const timer = setInterval(() => {
        const now = count();
        if (now === last) {
          clearInterval(timer);
          resolve();
        }
        last = now;
      }, kIdleMs);
    });
  });
}
