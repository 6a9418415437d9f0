// Which peer may speak on a control socket. SO_PEERCRED, unix(7)
import { FdpassError } from '../base/errors';
import type { UnixSeqpacket } from '../sockets/seqpacket';

/** @throws ERR_HANDOFF_UNTRUSTED_PEER unless the peer is our user, root, or one of `allow` */
export function requireTrusted(socket: UnixSeqpacket, allow: readonly number[]): void {
  const { pid, uid } = socket.peerCredentials;
  if (uid === 0 || uid === process.geteuid?.() || allow.includes(uid)) return;
  throw new FdpassError(
    'ERR_HANDOFF_UNTRUSTED_PEER',
    `process ${pid} of uid ${uid} is at the other end of the control socket; add the uid to options.allow if it may be`,
  );
}
