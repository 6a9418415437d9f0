// The ways to send as fast as it goes. Each makes, of a contender's own call, a function that sends a whole course.

/** `send(message)` is false when there is no room, and the message has to go again; `onceRoom(callback)` tells when. */
export function untilRefused(send, onceRoom) {
  return (course) =>
    new Promise((resolve, reject) => {
      let message = course.next();
      const pump = () => {
        try {
          for (; message !== undefined; message = course.next()) {
            if (!send(message)) {
              onceRoom(pump);
              return;
            }
          }
          resolve();
        } catch (error) {
          reject(error);
        }
      };
      pump();
    });
}

/** A node:stream: `write()` takes the bytes in any case, and false asks to wait for 'drain'. */
export function byWriting(stream) {
  return async (course) => {
    const write = (resolve) => {
      for (let bytes = course.next(); bytes !== undefined; bytes = course.next()) {
        if (!stream.write(bytes)) {
          stream.once('drain', () => write(resolve));
          return;
        }
      }
      resolve();
    };
    await new Promise(write);
  };
}

/** A callback that has not come by then after the last message will not come. */
const kLastCallbackMs = 200;

/** `send(message, callback)`, with as many under way at once. */
export function byCallback(send, underWay = 64) {
  return (course) =>
    new Promise((resolve, reject) => {
      let waiting = 0;
      let sending = false;
      const settled = (error) => {
        if (error) reject(error);
        waiting--;
        if (!sending) pump();
      };
      // A callback may come before send() returns.
      const pump = () => {
        sending = true;
        while (waiting < underWay) {
          const message = course.next();
          if (message === undefined) {
            if (waiting === 0) resolve();
            setTimeout(resolve, kLastCallbackMs);
            break;
          }
          waiting++;
          send(message, settled);
        }
        sending = false;
      };
      pump();
    });
}

/** `send(message)` returns a promise, awaited before the next one. */
export function byAwaiting(send) {
  return async (course) => {
    for (let message = course.next(); message !== undefined; message = course.next()) await send(message);
  };
}

/** `sendMany(messages)` returns a promise. */
export function inBatches(sendMany, size = 32) {
  return async (course) => {
    for (let ended = false; !ended; ) {
      const batch = [];
      while (batch.length < size && !ended) {
        const message = course.next();
        if (message === undefined) ended = true;
        else batch.push(message);
      }
      await sendMany(batch);
    }
  };
}
