// 'fdpass/ws': WebSockets of the package ws. Re-exports only.
export {
  type DrainWebSocketsOptions,
  drainWebSockets,
  type WebSocketLike,
  type WebSocketServerLike,
} from './integrations/ws';
