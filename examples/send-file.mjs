// Sends an open file to receive-file.mjs, which reads it.
//
//   node examples/send-file.mjs [FILE] [PATH]
//
// Try: with the receiver; with a folder or /dev/null as FILE, to see it refused or empty; from Python, which here
// sends its standard input:
//   python3 -c 'from socket import *; s = socket(AF_UNIX, SOCK_SEQPACKET); s.connect("PATH"); send_fds(s, [b"stdin"], [0]); print(s.recv(99))' < /etc/hostname
//
// The permissions are checked once, when the file is opened. So whoever may open it decides who else reads it,
// even if its name is removed right afterwards.
//
// In production: files that you send are lent. They stay yours, and closing yours does not close the receiver's.
// If it is open for writing here, it can be written there: open what you give away with the least that will do.
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixSeqpacket } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const name = process.argv[2] ?? import.meta.filename;
const path = process.argv[3] ?? join(XDG_RUNTIME_DIR, 'fdpass-file.sock');

const file = await open(name, 'r');
const socket = new UnixSeqpacket();
try {
  socket.connect(path);
  console.log(`sending ${name}, inode ${(await file.stat()).ino}`);
  await socket.send(name, { fds: [file] });
  const answer = await socket.receive({ timeout: 5000 }); // null: the receiver has closed without an answer
  if (answer === null) throw new Error('the receiver gave no answer');
  console.log(`the receiver says: ${answer.data}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await file.close();
  await socket.close();
}
