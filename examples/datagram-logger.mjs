// A logger that takes datagrams: each message arrives whole or not at all, and there is no connection.
//
//   node examples/datagram-logger.mjs [PATH]
//
// Try, in a second terminal:
//   echo 'it works' | nc -uU -w1 PATH
//   logger --socket PATH 'it works'
//   python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"it works", "PATH")'
//
// This is how syslog and the journal of systemd take their messages. Unlike UDP, unix datagrams are never lost and
// never change their order: when the receiver is slow, the sender waits. A sender learns at once when nobody is
// there.
//
// In production: a message longer than `maxBytes` is cut and says `truncated`. A slow disk makes every program
// slow that logs and waits; `trySend()` lets a sender drop a message instead.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixDatagram } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-log.sock');

// With `credentials` the kernel, not the sender, says who sent each message.
const socket = new UnixDatagram({ credentials: true, maxBytes: 8192 });

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => socket.close()); // ends the loop below

socket.bind(path, { mode: 0o600 });
console.log(`listening on ${path}`);

for await (const { data, credentials, truncated } of socket) {
  const who = credentials === undefined ? 'somebody' : `pid ${credentials.pid}, uid ${credentials.uid}`;
  // JSON shows what else could forge a line of the log, or play tricks with your terminal.
  const text = JSON.stringify(data.toString().trimEnd());
  console.log(`${new Date().toISOString()} ${who}: ${text}${truncated ? ' (cut)' : ''}`);
}
