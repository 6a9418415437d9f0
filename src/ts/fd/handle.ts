// The handle in which an object of net or dgram keeps its descriptor. No API: looked at here only.
import type dgram from 'node:dgram';
import type net from 'node:net';

/** `fd` is -1 once it is closed. Undefined in a cluster worker, and in Deno. */
export interface Handle {
  fd?: number;
}

/** Undefined or null: it is not open. */
export function handleOf(object: net.Server | net.Socket): Handle | null | undefined {
  return (object as { _handle?: Handle | null })._handle;
}

// dgram keeps its handle in an object under a private symbol; Node 26 removed the deprecated _handle.
export function udpHandleOf(socket: dgram.Socket): Handle | null | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find((one) => one.description === 'state symbol');
  if (symbol === undefined) return {}; // somewhere else: Deno
  return (socket as unknown as Record<symbol, { handle?: Handle | null }>)[symbol]?.handle;
}
