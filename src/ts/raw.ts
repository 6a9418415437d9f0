// 'fdpass/raw': the socket calls themselves. Re-exports only.
export { MSG, POLL, SCM, SO, SOL_SOCKET } from './sockets/constants';
export {
  type RawControl,
  type RawMessage,
  type RawReceiveOptions,
  type RawSendOptions,
  RawSocket,
} from './sockets/raw-socket';
