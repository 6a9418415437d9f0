// An echo server: whatever a client writes to the unix socket comes back to it.
//
//   node examples/echo-server.mjs [PATH]
//
// Try, in a second terminal, with the path that it prints:
//   nc -U PATH                      type a line and see it again; Ctrl-C leaves
//   printf hello | nc -N -U PATH    -N: nc says that it has finished, so the server finishes too
//   python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("PATH"); s.send(b"hi"); print(s.recv(9))'
//
// A unix socket is a file name instead of a host and a port. Only processes of this machine reach it, and the
// permissions of the file say which.
//
// In production: give every connection a deadline (deadline-server.mjs), and limit how many there are.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixServer } from 'fdpass';

// $XDG_RUNTIME_DIR is a folder that only you can enter. In /tmp everybody could take the name before you do.
const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-echo.sock');

const server = new UnixServer();
let count = 0;

server.on('connection', (client) => {
  const number = ++count;
  console.log(`client ${number} is here`);
  client.on('error', (error) => console.log(`client ${number}: ${error.message}`)); // without this, it would end us
  client.on('close', () => console.log(`client ${number} is gone`));
  client.pipe(client); // pipe() waits for a client that does not read, instead of collecting in memory
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close(); // removes the file
    process.exit(); // cuts off whoever is connected
  });
}

server.listen(path, { mode: 0o600 });
console.log(`listening on ${path}`);
