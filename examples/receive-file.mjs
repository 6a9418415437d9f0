// Receives open files from other processes, and reads them.
//
//   node examples/receive-file.mjs [PATH]
//
// Try, in a second terminal:
//   node examples/send-file.mjs /etc/hostname
//   sudo node examples/send-file.mjs /etc/shadow PATH        a file that this process could not open itself
//
// What travels is not the name of the file and not its content, but the open file itself (SCM_RIGHTS): the kernel
// gives this process a descriptor of the same file. So a process that may do little can be given exactly one
// thing.
//
// In production: `maxFds` is 0 unless you set it, so that nobody can fill your table of open files. What comes is
// yours, and yours to close. Look what it is before you use it: describe() tells a file from a socket.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { adoptReadStream, UnixSeqpacketServer } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-file.sock');

/** Counts the lines of a file. Owns it. @param {import('fdpass').Fd | undefined} file */
async function count(file) {
  if (file === undefined) return 'no file came';
  try {
    const { inode } = file.describe();
    let lines = 0;
    // From byte 0: the position in the file is shared with the sender, who may have read some of it.
    for await (const piece of adoptReadStream(file, { start: 0, encoding: 'utf8' })) {
      lines += piece.split('\n').length - 1;
    }
    return `inode ${inode} has ${lines} lines`;
  } catch (error) {
    return `cannot read it: ${error instanceof Error ? error.message : error}`;
  } finally {
    file.close(); // does nothing if the stream has taken it over
  }
}

// Seqpacket: a connection like a stream, but with borders between the messages, like datagrams.
const server = new UnixSeqpacketServer({ maxFds: 1 });

server.on('connection', async (client) => {
  client.on('error', (error) => console.log(error.message));
  try {
    for await (const { data, fds } of client) {
      const answer = await count(fds[0]);
      console.log(`${JSON.stringify(data.toString())}: ${answer}`);
      await client.send(answer);
    }
  } catch (error) {
    console.log(`client lost: ${error instanceof Error ? error.message : error}`);
  }
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close(); // removes the file
    process.exit(); // cuts off whoever is connected
  });
}

server.listen(path, { mode: 0o600 });
console.log(`listening on ${path}`);
