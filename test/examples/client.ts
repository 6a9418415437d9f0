// Clients that are not this package: netcat where it is installed, else Python.
import { spawnSync } from 'node:child_process';
import { type Child, start } from '../helpers/child';
import type { Ending } from '../helpers/tmp-dir';

export function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

export const hasNetcat =
  isInstalled('nc') && spawnSync('nc', ['-h'], { encoding: 'utf8' }).stderr.includes('OpenBSD');

const PREPARE = `
import os, socket, sys, threading
address = sys.argv[1]
if address.startswith('@'): address = '\\0' + address[1:]
`;

const TALK = `${PREPARE}
s = socket.socket(socket.AF_UNIX)
s.connect(address)
def send():
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start() # as netcat: an echo of much waits for who reads it
while True:
    piece = s.recv(65536)
    if not piece: break
    sys.stdout.buffer.write(piece)
`;

/** Sends the text, ends its direction, and prints what comes until the end. '@name' is an abstract address. */
export function talk(t: Ending, address: string, text = ''): Child {
  const client = hasNetcat
    ? start(t, 'nc', ['-N', '-U', address])
    : start(t, 'python3', ['-c', TALK, address]);
  client.process.stdin?.end(text);
  return client;
}

const CONNECT_AS_NOBODY = `${PREPARE}
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
try: s.connect(address)
except OSError as error: print(type(error).__name__)
else: print(s.recv(99).decode().strip())
`;

/** Prints what a process of another user is told, or the name of its error. For root only. */
export function connectAsNobody(t: Ending, address: string): Child {
  return start(t, 'python3', ['-c', CONNECT_AS_NOBODY, address]);
}

const SEND_FILE = `${PREPARE}
file = sys.argv[2]
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(address)
if file:
    lent = open(file)
    os.unlink(file)
    socket.send_fds(s, [b'from Python'], [lent.fileno()])
else: s.send(b'nothing')
print(s.recv(99).decode())
`;

/** Opens the file, removes its name, sends it, and prints the answer; sends a message alone without a file. */
export function sendFile(t: Ending, address: string, file = ''): Child {
  return start(t, 'python3', ['-c', SEND_FILE, address, file]);
}
