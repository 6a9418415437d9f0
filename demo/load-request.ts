/** Owns one request of the load: sends it, checks every byte of the answer, and says who answered. Never retries. */
import { createHash, randomBytes } from 'node:crypto';
import * as http from 'node:http';

export type Kind = 'get' | 'get-new-connection' | 'post';

const kPostBytes = 16 * 1024;
const kTimeoutMs = 10_000;

/** Sends requests of one kind, one after the other, on a connection of its own. */
export class Client {
  readonly #kind: Kind;
  readonly #port: number;
  readonly #agent: http.Agent;
  readonly #body = randomBytes(kPostBytes);
  #sent = 0;

  constructor(kind: Kind, port: number) {
    this.#kind = kind;
    this.#port = port;
    this.#agent = new http.Agent({ keepAlive: kind !== 'get-new-connection', maxSockets: 1 });
  }

  /** Resolves with the generation that answered; rejects with what was wrong. */
  async send(): Promise<number> {
    // Another body each time: an answer to somebody else's request cannot pass for ours.
    this.#body.writeUInt32LE(this.#sent++, 0);
    const answer = await this.#exchange();
    const generation = Number(answer.headers['x-generation']);
    const expected =
      this.#kind === 'post'
        ? `${kPostBytes} ${createHash('sha256').update(this.#body).digest('hex')}\n`
        : `generation ${generation}, process ${answer.headers['x-pid']}\n`;
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    if (answer.body !== expected) throw new Error(`wrong body '${answer.body.slice(0, 80)}'`);
    return generation;
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(): Promise<{ status: number | undefined; headers: http.IncomingHttpHeaders; body: string }> {
    const isPost = this.#kind === 'post';
    return new Promise((resolve, reject) => {
      const request = http.request({
        host: '127.0.0.1',
        port: this.#port,
        agent: this.#agent,
        method: isPost ? 'POST' : 'GET',
        path: isPost ? '/echo' : '/',
        ...(isPost ? { headers: { 'content-length': kPostBytes } } : {}),
      });
      request.setTimeout(kTimeoutMs, () => request.destroy(new Error(`no answer within ${kTimeoutMs} ms`)));
      request.on('error', reject);
      request.on('response', (response) => {
        let body = '';
        response.setEncoding('latin1');
        response.on('data', (text: string) => {
          body += text;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
      });
      request.end(isPost ? this.#body : undefined);
    });
  }
}
