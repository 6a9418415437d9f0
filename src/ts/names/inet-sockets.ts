// The sockets that have an IP address and port, as the kernel lists them. /proc/net/tcp, proc_net(5)
import { closeSync, openSync, readSync } from 'node:fs';
import net from 'node:net';
import { endianness } from 'node:os';

export interface InetName {
  protocol: 'tcp' | 'udp';
  /** Numeric. */
  address: string;
  port: number;
}

/**
 * Of one table: 28000 sockets, which take up to 100 ms (measured with Node 20). Listeners stand first, and are found whatever
 * there is behind them. tcp_seq_start(), net/ipv4/tcp_ipv4.c
 */
export const MAX_TABLE_BYTES = 4 * 1024 * 1024;

/** TCP_LISTEN, include/net/tcp_states.h */
const LISTENING = '0A';

// "sl: local rem st tx:rx tr:when retrnsmt uid timeout inode", get_tcp4_sock() in net/ipv4/tcp_ipv4.c; the others alike.
const rowsOf = (port: number): RegExp => {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`^ *\\d+: ([0-9A-F]+):${hex} \\S+ ([0-9A-F]{2}) \\S+ \\S+ \\S+ +\\d+ +\\d+ (\\d+)`, 'gm');
};

/** Those that keep another socket from that address: who listens, else whoever has the port. */
export function socketsAt({ protocol, address, port }: InetName): bigint[] {
  const wanted = plain(address);
  const families = net.isIPv6(wanted) ? ['6', ''] : ['', '6'];
  const rows = families
    .flatMap((family) => readRows(`/proc/net/${protocol}${family}`, port))
    .filter((row) => row.inode !== 0n && meet(row.address, wanted));
  const listening = rows.filter(({ state }) => state === LISTENING);
  return (listening.length > 0 ? listening : rows).map(({ inode }) => inode);
}

interface Row {
  address: string;
  state: string;
  /** 0n: no process has it any more. */
  inode: bigint;
}

function readRows(file: string, port: number): Row[] {
  const rows = [...readStart(file).matchAll(rowsOf(port))];
  return rows.map(([, address = '', state = '', inode = '']) => ({
    address: decode(address),
    state,
    inode: BigInt(inode),
  }));
}

function readStart(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(MAX_TABLE_BYTES);
    let length = 0;
    for (let read = 1; read > 0; length += read)
      read = readSync(fd, buffer, length, buffer.length - length, null);
    return buffer.toString('latin1', 0, length);
  } finally {
    closeSync(fd);
  }
}

/** Words of 32 bits, each printed as a number of this machine. */
function decode(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return plain(groups.join(':'));
}

/** As the kernel prints it, without a scope; IPv4 also where a socket of IPv6 has it. */
function plain(address: string): string {
  const [numeric = ''] = address.split('%');
  if (!net.isIPv6(numeric)) return numeric;
  return new net.SocketAddress({ address: numeric, family: 'ipv6' }).address.replace(/^::ffff:(?=.*\.)/, '');
}

/** '::' is for IPv4, too, unless its owner has said otherwise, which cannot be seen here. */
function meet(one: string, other: string): boolean {
  if (one === other || one === '::' || other === '::') return true;
  return net.isIPv4(one) && net.isIPv4(other) && [one, other].includes('0.0.0.0');
}
