// fdpass ls: the bound AF_UNIX sockets of this machine and the processes that hold them.
import type { SocketHolder } from '../base/errors';
import { inspectUnix, type UnixSocketInfo } from '../names/inspect';
import { type Command, EXIT, UsageError } from './command';
import { parseCommandLine } from './command-line';
import { formatTable } from './table';
import { userNames } from './users';

/** Characters of a command line in the table; --json has it longer. */
const COMMAND_WIDTH = 40;

export const ls: Command = {
  help: `List the AF_UNIX sockets that have a name, and the processes that hold them.

  fdpass ls [TEXT] [--json]

  TEXT      only sockets whose address contains it
  --json    for scripts: an array of { address, kind, type, state, inode, owners: [{ pid, command, uid }] }
  --help    this text

The table has one line for each process that holds a socket; '-' where none can be seen: other users' processes are
shown to root only, and a connection that waits to be accepted has none. A connection has its listener's address.

In an address, '@' is the beginning of an abstract name; bytes that are no text, and backslashes, are written \\xNN.
The kernel shows NUL bytes of an abstract name as '@', and paths as their owners spelt them. With --json, "kind" is
"path" or "abstract" and "inode" is a number (0: a connection that waits to be accepted).

Exit code: 0, also if there is none; 1 if /proc could not be read (--json: an object { outcome: "unknown", code,
reason }); 64 the command line is wrong.
`,
  run(args) {
    const { text, json } = parse(args);
    const sockets = inspectUnix()
      .filter(({ address }) => address.toString().includes(text))
      .sort(byAddress);
    if (json) process.stdout.write(`${JSON.stringify(sockets.map(toJson), undefined, 2)}\n`);
    else if (sockets.length > 0) process.stdout.write(toTable(sockets));
    else
      process.stderr.write(`fdpass ls: no socket has a name${text === '' ? '' : ` with '${text}' in it`}\n`);
    return EXIT.ok;
  },
};

function parse(args: readonly string[]): { text: string; json: boolean } {
  const options = { json: { type: 'boolean' } } as const;
  const { values, positionals } = parseCommandLine({ args: [...args], options, allowPositionals: true });
  if (positionals.length > 1) {
    throw new UsageError(`one TEXT is looked for, not ${positionals.length}; quote it if it has spaces`);
  }
  return { text: positionals[0] ?? '', json: values.json ?? false };
}

function byAddress(a: UnixSocketInfo, b: UnixSocketInfo): number {
  return Buffer.compare(a.address.bytes, b.address.bytes) || Number(a.inode - b.inode);
}

function toTable(sockets: readonly UnixSocketInfo[]): string {
  const nameOf = userNames();
  const rows = sockets.flatMap((socket) =>
    (socket.owners.length > 0 ? socket.owners : [undefined]).map((owner) => toRow(socket, owner, nameOf)),
  );
  return formatTable(['STATE', 'TYPE', 'PID', 'USER', 'COMMAND', 'ADDRESS'], rows);
}

function toRow(
  { state, type, address }: UnixSocketInfo,
  owner: SocketHolder | undefined,
  nameOf: (uid: number) => string,
): (string | undefined)[] {
  const who = owner && [String(owner.pid), nameOf(owner.uid), short(owner.command)];
  return [state, type, ...(who ?? [undefined, undefined, undefined]), address.toString()];
}

function short(command: string): string {
  return command.length <= COMMAND_WIDTH ? command : `${command.slice(0, COMMAND_WIDTH - 1)}…`;
}

function toJson({ address, inode, ...rest }: UnixSocketInfo): object {
  return { address: address.toString(), kind: address.kind, ...rest, inode: Number(inode) };
}
