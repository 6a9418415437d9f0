// How many datagrams a socket queues: net.unix.max_dgram_qlen of the network namespace in which it was opened. At the kernel's 10
// both sides sleep and wake all the time, and that is what is measured; systemd sets 512. A receiver in a namespace of its own
// can have any: the file of its address is reached from outside, too.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const kSetting = '/proc/sys/net/unix/max_dgram_qlen';
const kProgram = `echo "$1" > ${kSetting} && shift && exec "$@"`;

/** A command that opens its sockets with a queue of `length`. */
export function withDatagramQueue(length, words) {
  if (length === undefined || length === machineLength()) return words;
  return [
    'unshare',
    process.getuid() === 0 ? '-n' : '-rn',
    'sh',
    '-c',
    kProgram,
    'sh',
    String(length),
    ...words,
  ];
}

/** Not in every container, and not everywhere without root. */
export function canSetDatagramQueue(length) {
  const [command, ...args] = withDatagramQueue(length, ['true']);
  return spawnSync(command, args).status === 0;
}

function machineLength() {
  return Number(readFileSync(kSetting, 'utf8'));
}
