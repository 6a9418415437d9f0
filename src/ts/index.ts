// The public API: re-exports only.
export type { WaitOptions } from './base/abort';
export { FdpassError, type SystemError } from './base/errors';
export { type AddressLike, UnixAddress } from './fd/address';
export {
  type AdoptServerOptions,
  type AdoptSocketOptions,
  adoptServer,
  adoptSocket,
  adoptUdp,
} from './fd/adopt';
export type { FdInfo, SocketFamily, SocketType } from './fd/describe';
export { Fd } from './fd/fd';
export type { FdLike } from './fd/lend';
export { HandoffBusyError } from './handoff/busy';
export type { UdpOptions } from './handoff/datagram-place';
export type { ListenerOptions } from './handoff/endpoint';
export {
  createHandoff,
  Handoff,
  type HandoffEvents,
  type HandoffState,
  type HandoffStatus,
} from './handoff/handoff';
export type { HandoffOptions } from './handoff/options';
export type { ProbationOptions } from './handoff/probation';
export type { DrainReceipt, Receipt, StateTimes } from './handoff/receipt';
export type { ListenerStatus } from './handoff/registry';
export type { HandedState, StateOptions } from './handoff/state';
export type { HandoffTimeouts } from './handoff/timeouts';
export { UpgradeError, type UpgradeOptions } from './handoff/upgrade';
export { isSupported } from './native/binding';
export type { BindOptions } from './sockets/bind-path';
export { UnixDatagram } from './sockets/datagram';
export type { Credentials, Message, SendOptions, SocketOptions } from './sockets/message';
export { type SeqpacketOptions, UnixSeqpacket } from './sockets/seqpacket';
export {
  type AdoptSeqpacketServerOptions,
  type ListenOptions,
  UnixSeqpacketServer,
} from './sockets/seqpacket-server';
