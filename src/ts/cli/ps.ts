// fdpass ps: the services of this user that can be found, and what is left of others.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../base/errors';
import { printable, UnixAddress } from '../fd/address';
import { ask } from '../handoff/ask';
import type { ServiceStatus } from '../handoff/command';
import {
  existingRuntimeDirectory,
  requirePrivateDirectory,
  runtimeDirectory,
} from '../handoff/control-address';
import { jsonOf } from '../pool/metrics-json';
import { type Command, EXIT } from './command';
import { parseCommandLine } from './command-line';
import { formatTable } from './table';
import { formatBytes, formatMs } from './units';

/** A service that answers, or why what is there does not. */
interface Found {
  name: string;
  address: string;
  status?: ServiceStatus;
  code?: string;
  reason?: string;
}

const SUFFIX = '.sock';

export const ps: Command = {
  help: `List the services that run as this user: the control sockets in its runtime directory, and who answers there.

  fdpass ps [--json]

  --json    for scripts: an array of { name, address, status } or { name, address, code, reason }; status as
            of 'fdpass status --json'
  --help    this text

The directory is $XDG_RUNTIME_DIR/fdpass, else /run/fdpass for root, else fdpass-UID in the temp directory. Services that
gave createHandoff() an address of their own are not found; ask them with 'fdpass status --address AT'.

A socket where nobody answers has a remark on stderr. A leftover of a killed process does no harm: the next
start replaces it.

Exit code: 0, also if there is none; 1 if the directory cannot be read or trusted (--json: an object
{ outcome: "unknown", code, reason }); 64 the command line is wrong.
`,
  async run(args) {
    const json = parse(args);
    const found = await Promise.all(controlSockets().map(lookAt));
    if (json) process.stdout.write(`${jsonOf(found, 2)}\n`);
    else print(found);
    return EXIT.ok;
  },
};

function parse(args: readonly string[]): boolean {
  return parseCommandLine({ args: [...args], options: { json: { type: 'boolean' } } }).values.json ?? false;
}

/** Files that are named as control sockets are. */
function controlSockets(): string[] {
  const directory = existingRuntimeDirectory();
  let files: string[];
  try {
    files = readdirSync(directory);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
  requirePrivateDirectory(directory);
  const names = files.filter((file) => file.endsWith(SUFFIX)).sort();
  return names.map((name) => path.join(directory, name));
}

async function lookAt(file: string): Promise<Found> {
  const address = printable(Buffer.from(file));
  const name = path.basename(address, SUFFIX);
  try {
    const result = await ask({ address: UnixAddress.path(file), command: 'status' });
    if (result.outcome === 'status') return { name, address, status: result.status };
    const reason = 'reason' in result ? result.reason : `it answers with '${result.outcome}'`;
    return { name, address, code: 'ERR_HANDOFF_REFUSED', reason };
  } catch (error) {
    const { code = 'ERR_HANDOFF_ABORTED', message } = error as NodeJS.ErrnoException;
    return { name, address, code, reason: message };
  }
}

function print(found: readonly Found[]): void {
  const rows = found.flatMap(({ name, status }) => (status === undefined ? [] : [row(name, status)]));
  if (rows.length > 0) {
    const head = ['NAME', 'GENERATION', 'PID', 'STATE', 'AGE', 'CONNECTIONS', 'MEMORY'];
    process.stdout.write(formatTable(head, rows));
  } else process.stderr.write(`fdpass ps: nothing runs as this user in ${runtimeDirectory()}\n`);
  for (const { name, reason } of found) {
    if (reason !== undefined) process.stderr.write(`fdpass ps: ${name}: ${reason}\n`);
  }
}

function row(name: string, status: ServiceStatus): string[] {
  const { generation, pid, state, ageMs, connections, rssBytes } = status;
  return [
    name,
    String(generation),
    String(pid),
    state,
    formatMs(ageMs),
    String(connections),
    formatBytes(rssBytes),
  ];
}
