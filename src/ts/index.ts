// The public API: re-exports only.
export type { WaitOptions } from './base/abort';
export { FdpassError, type SocketHolder, type SystemError } from './base/errors';
export { type AddressLike, UnixAddress } from './fd/address';
export {
  type AdoptServerOptions,
  type AdoptSocketOptions,
  adoptServer,
  adoptSocket,
  adoptUdp,
} from './fd/adopt';
export {
  type AdoptReadStreamOptions,
  type AdoptWriteStreamOptions,
  adoptReadStream,
  adoptWriteStream,
} from './fd/adopt-stream';
export type { FdInfo, SocketFamily, SocketType } from './fd/describe';
export { Fd } from './fd/fd';
export type { FdLike } from './fd/lend';
export { HandoffBusyError } from './handoff/busy';
export type { UdpOptions } from './handoff/datagram-place';
export type { ListenerOptions } from './handoff/endpoint';
export { Handoff, type HandoffStatus } from './handoff/handoff';
export type { HandoffOptions } from './handoff/options';
export type { ProbationOptions } from './handoff/probation';
export type { DrainReceipt, Receipt, StateTimes } from './handoff/receipt';
export type { HandedState, StateOptions } from './handoff/state';
export type { HandoffEvents, HandoffState, ListenerStatus } from './handoff/status';
export type { HandoffTimeouts } from './handoff/timeouts';
export { UpgradeError, type UpgradeOptions } from './handoff/upgrade';
export type { BindOptions } from './names/bind-path';
export type { SocketState } from './names/bound-sockets';
export { type InspectOptions, inspectUnix, type UnixSocketInfo } from './names/inspect';
export { isSupported } from './native/binding';
export { type ConnectUnixOptions, connectUnix } from './sockets/connect-unix';
export type { ConnectionServerEvents, ListenOptions } from './sockets/connection-server';
export { UnixDatagram } from './sockets/datagram';
export { type ListenUnixOptions, listenUnix } from './sockets/listen-unix';
export type { Attachments, Message, SendOptions, SocketOptions } from './sockets/message';
export type { Credentials } from './sockets/peer';
export { type SeqpacketOptions, UnixSeqpacket } from './sockets/seqpacket';
export {
  type AdoptSeqpacketServerOptions,
  type SeqpacketServerOptions,
  UnixSeqpacketServer,
} from './sockets/seqpacket-server';
export {
  type FdsInfo,
  UnixStream,
} from './sockets/stream';
export type { StreamConnectOptions, StreamOptions } from './sockets/stream-options';
export { type AdoptUnixServerOptions, UnixServer, type UnixServerOptions } from './sockets/stream-server';
export { createHandoff } from './worker/create';
