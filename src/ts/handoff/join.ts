// Finding out who we are: a successor, if somebody serves under the control address, else the first one.
import { setTimeout as sleep } from 'node:timers/promises';
import { FdpassError, hasCode } from '../base/errors';
import { MAX_FDS_PER_MESSAGE } from '../base/limits';
import type { UnixAddress } from '../fd/address';
import { UnixSeqpacket } from '../sockets/seqpacket';
import { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import { MAX_FRAME_BYTES } from './frame';
import type { HandoffTimeouts } from './timeouts';
import { requireTrusted } from './trust';

/** Between two attempts, when the holder is busy accepting, or another process starts at the same time. */
const RETRY_MS = 20;

/** Connections to the control socket that may wait. Upgrades are rare and one at a time. */
export const CONTROL_BACKLOG = 16;

/** What control connections receive at the holder's: frames, and never a descriptor. */
export const CONTROL_OPTIONS = { maxFds: 0, maxBytes: MAX_FRAME_BYTES };

export interface JoinOptions {
  address: UnixAddress;
  allow: readonly number[];
  /** For all attempts together. */
  timeoutMs: number;
}

/** Connected to a holder that we may trust, or listening in its place. */
export type Joined = { socket: UnixSeqpacket } | { server: UnixSeqpacketServer };

/** @throws ERR_HANDOFF_UNTRUSTED_PEER, ERR_HANDOFF_TIMEOUT, SystemError EACCES, ENOENT (no such directory) */
export async function join(options: JoinOptions): Promise<Joined> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const joined = tryConnect(options) ?? tryListen(options);
    if (joined !== undefined) return joined;
    if (performance.now() > deadline) {
      throw new FdpassError(
        'ERR_HANDOFF_TIMEOUT',
        `neither connected to ${options.address} nor could it be bound within ${options.timeoutMs} ms; is its owner stopped, or is something at that path that is no socket?`,
      );
    }
    await pauseBeforeRetry();
  }
}

/** Whoever listens there has hung up on us for `timeouts.hello`. */
export function turnedAway(
  { address, timeouts }: { address: UnixAddress; timeouts: HandoffTimeouts },
  cause: unknown,
): FdpassError {
  const text = `whoever listens on ${address} has hung up on us for ${timeouts.hello} ms; does it allow this user?`;
  return new FdpassError('ERR_HANDOFF_TIMEOUT', text, { cause });
}

export async function pauseBeforeRetry(): Promise<void> {
  await sleep(RETRY_MS);
}

function tryConnect({ address, allow }: JoinOptions): Joined | undefined {
  const socket = new UnixSeqpacket({ maxFds: MAX_FDS_PER_MESSAGE, maxBytes: MAX_FRAME_BYTES });
  try {
    socket.connect(address);
    requireTrusted(socket, allow);
    return { socket };
  } catch (error) {
    void socket.close();
    if (hasCode(error, 'ENOENT', 'ECONNREFUSED', 'EAGAIN')) return undefined;
    throw error;
  }
}

function tryListen({ address, allow }: JoinOptions): Joined | undefined {
  const server = new UnixSeqpacketServer(CONTROL_OPTIONS).unref();
  // Whom `allow` names must be able to connect; the credentials decide then.
  const mode = allow.length === 0 ? 0o600 : 0o666;
  try {
    return { server: server.listen(address, { mode, replaceStale: true, backlog: CONTROL_BACKLOG }) };
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE')) return undefined;
    throw error;
  }
}
