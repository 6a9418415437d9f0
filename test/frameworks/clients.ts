// Clients of the applications of this folder.
import http from 'node:http';
import https from 'node:https';
import type { Client } from '../helpers/clients';
import { framework, type WebSocket, type Ws } from './framework';

/** Long enough to come in several packets. */
const TEXT = 'x'.repeat(16 * 1024);

/** POSTs JSON and wants it back. */
export function jsonClient(port: number, { keepAlive, ca }: { keepAlive: boolean; ca?: Buffer }): Client {
  const { Agent, request: post } = ca === undefined ? http : https;
  const agent = new Agent({
    keepAlive,
    maxSockets: 1,
    ...(ca === undefined ? {} : { ca, servername: 'localhost' }),
  });
  const headers = { 'content-type': 'application/json' };
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = post({ port, host: '127.0.0.1', method: 'POST', agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          const { pid, body } = JSON.parse(text) as { pid: number; body?: { text: string } };
          if (body?.text === TEXT) resolve(pid);
          else reject(new Error(`status ${response.statusCode}: ${text}`));
        });
      });
      request.on('error', reject);
      request.end(JSON.stringify({ text: TEXT }));
    });
  return { ask, close: () => agent.destroy() };
}

export interface WebSocketClient extends Client {
  /** How often the server has said 1001. */
  readonly sentAway: number;
}

/** One WebSocket as long as it lives. A server that says 1001 is asked again by the next one; any other end is a failure. */
export function webSocketClient(port: number): WebSocketClient {
  const { WebSocket } = framework<Ws>('ws');
  let open: WebSocket | undefined;
  let sentAway = 0;
  let settle: { answer(pid: number): void; away(): void; fail(error: Error): void } | undefined;

  const connect = (): WebSocket => {
    const webSocket = new WebSocket(`ws://127.0.0.1:${port}`);
    webSocket.on('open', () => webSocket.send('hello'));
    webSocket.on('message', (data) => settle?.answer((JSON.parse(`${data}`) as { pid: number }).pid));
    webSocket.on('error', (error) => settle?.fail(error));
    webSocket.on('close', (code) => {
      open = undefined;
      if (code === 1001) sentAway++;
      if (code === 1001) settle?.away();
      else settle?.fail(new Error(`closed with ${code}`));
    });
    return webSocket;
  };

  const askOnce = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      settle = { answer: resolve, away: () => resolve(undefined), fail: reject };
      if (open === undefined) open = connect();
      else open.send('hello');
    });

  return {
    get sentAway() {
      return sentAway;
    },
    async ask() {
      for (;;) {
        const pid = await askOnce();
        if (pid !== undefined) return pid;
      }
    },
    close() {
      settle = undefined;
      open?.terminate();
    },
  };
}
