// Who may connect: two servers, one for you alone (0600) and one for everybody (0666).
//
//   node examples/permissions.mjs [FOLDER]
//
// Try, in a second terminal, with the paths that it prints:
//   ls -l FOLDER/*.sock                             srw------- and srw-rw-rw-: the s says socket
//   nc -U FOLDER/fdpass-public.sock
//   sudo -u nobody nc -U FOLDER/fdpass-private.sock      Permission denied
//
// To connect, a process needs write permission for the file of the socket, and search permission (x) for every
// folder above it. Without `mode` the file gets 0777 less the umask: usually 0755, so that only you can write. But
// a service that is started with another umask would be open to all: say what you mean.
//
// In production: 0600 for yourself; 0660 and a group of its own (`owner: { gid }`) for a few; 0666 only when you
// also ask who is there, as here. The folder decides as well: with 0700 it keeps out everybody, whatever the file
// says; in one where others may write, they can remove your file and put theirs in its place.
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixServer } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const folder = process.argv[2] ?? XDG_RUNTIME_DIR;

/** @param {string} name @param {number} mode */
function serve(name, mode) {
  const path = join(folder, name);
  const server = new UnixServer();
  server.on('connection', (client) => {
    client.on('error', (error) => console.log(`${name}: ${error.message}`));
    const { pid, uid } = client.peerCredentials;
    console.log(`${name}: pid ${pid} of uid ${uid}`);
    client.end(`welcome, uid ${uid}\n`);
  });
  server.listen(path, { mode });
  console.log(`${path} has mode 0${(statSync(path).mode & 0o777).toString(8)}`);
  return server;
}

const servers = [serve('fdpass-private.sock', 0o600), serve('fdpass-public.sock', 0o666)];

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    for (const server of servers) await server.close();
    process.exit();
  });
}

console.log('listening');
