// Messages that wait for a peer that does not read. Only the sender is a contender's: the receiver is a C program.

/** As many in one socket's queue, which every contender allows. */
const kPerSocket = 1000;

export async function sender(contender, options) {
  const connections = [];
  for (let i = 0; i < options.messages / kPerSocket; i++) {
    connections.push(await contender.connect(options, { message() {} }));
  }
  const messages = Array.from({ length: options.messages }, () => Buffer.alloc(options.size, 1));
  for (const connection of connections) connection.queue(Buffer.alloc(options.size)); // compiled, and begun to wait
  await new Promise(setImmediate);
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  messages.forEach((message, i) => {
    connections[Math.floor(i / kPerSocket)].queue(message);
  });
  await new Promise(setImmediate);
  const after = process.memoryUsage.rss();
  const bytesPerMessage = (after - before) / options.messages;
  return { total: options.messages, measured: options.messages, cpuUs: 0, bytesPerMessage };
}
