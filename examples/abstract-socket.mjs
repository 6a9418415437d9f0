// An abstract socket: a name that is no file. Linux only.
//
//   node examples/abstract-socket.mjs [NAME]
//
// Try, in a second terminal, with the name that it prints:
//   nc -U @NAME
//   python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("\0NAME"); print(s.recv(99))'
//   grep NAME /proc/net/unix        all unix sockets of the machine; an @ stands before abstract names
//   kill -9 it, and start it again: nothing was left behind (compare stale-socket.mjs)
//
// The name exists as long as the socket: there is no file to remove, no folder to choose, and it works where the
// disk is read-only. The price: there are no permissions. Everybody on the machine who knows the name may connect,
// and may take the name before you do.
//
// In production: so ask the kernel who connected, as here; a client can ask who listens in the same way.
// Containers with a network of their own have names of their own. Node 20's own net.connect('\0NAME') pads the
// name with NULs and does not find this server: use connectUnix('@NAME').
import { userInfo } from 'node:os';
import { UnixServer } from 'fdpass';

const { uid } = userInfo();
const name = process.argv[2] ?? `fdpass-example-${uid}`;

const server = new UnixServer();

server.on('connection', (client) => {
  client.on('error', (error) => console.log(error.message));
  const peer = client.peerCredentials; // written down by the kernel when the client connected: it cannot lie
  if (peer.uid !== uid) {
    console.log(`refused: pid ${peer.pid} of uid ${peer.uid}`);
    client.destroy();
    return;
  }
  console.log(`welcome: pid ${peer.pid}`);
  client.end(`you are pid ${peer.pid} of uid ${peer.uid}\n`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close();
    process.exit(); // cuts off whoever is connected
  });
}

server.listen(`@${name}`); // the @ stands for the NUL byte by which the kernel knows an abstract name
console.log(`listening on @${name}`);
