// The client of one-message-server.mjs: sends one message, and is content only when the server has confirmed it.
//
//   node examples/one-message-client.mjs [MESSAGE] [PATH]
//
// Try: with the server; without it (ENOENT: there is no such file); with a message of more than a megabyte.
//
// A write() that succeeds says that the kernel has the bytes, not that the server has read them: it may crash
// before. Only an answer proves that. So the exit code is 0 when the acknowledgement came, and 1 otherwise.
//
// In production: whoever gets no answer does not know whether the message was handled. Give it a number, so that
// the server recognizes the second try.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixStream } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const message = process.argv[2] ?? 'hello';
const path = process.argv[3] ?? join(XDG_RUNTIME_DIR, 'fdpass-one-message.sock');

try {
  // The signal is a deadline for everything: connecting, sending, and waiting for the answer.
  const server = UnixStream.connect(path, { signal: AbortSignal.timeout(5000) });
  server.end(message); // sends it and ends our direction; the other one stays open

  let answer = '';
  for await (const piece of server.setEncoding('utf8')) answer += piece;

  const expected = `ok ${Buffer.byteLength(message)}\n`;
  if (answer !== expected) throw new Error(`the server did not confirm: ${JSON.stringify(answer)}`);
  console.log(`confirmed: ${answer.trim()}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
