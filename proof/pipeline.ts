/**
 * Owns a client that pipelines: it sends requests without waiting for the answers to those before. What is unanswered when
 * the connection ends it asks again, as RFC 9112, 9.3.2 wants it, and counts that.
 */
import * as net from 'node:net';

interface Asked {
  resolve(generation: number): void;
  reject(error: Error): void;
}

const kRequest = 'GET / HTTP/1.1\r\nHost: pipeline\r\n\r\n';

export class Pipeline {
  readonly #port: number;
  #connection: Connection | undefined;
  #closed = false;
  /** Requests that were sent twice, behind a `Connection: close`. */
  announced = 0;
  /** The same behind an end that came before the client could read why. */
  unannounced = 0;

  constructor(port: number) {
    this.#port = port;
  }

  send(): Promise<number> {
    return new Promise((resolve, reject) => this.#ask({ resolve, reject }));
  }

  close(): void {
    this.#closed = true;
    this.#connection?.end();
  }

  #ask(asked: Asked): void {
    if (this.#closed) asked.reject(new Error('the pipeline is closed'));
    if (this.#connection === undefined || this.#connection.isOver) {
      this.#connection = new Connection(this.#port, (unanswered, announced) => {
        if (announced) this.announced += unanswered.length;
        else this.unannounced += unanswered.length;
        for (const one of unanswered) this.#ask(one);
      });
    }
    this.#connection.ask(asked);
  }
}

class Connection {
  readonly #socket: net.Socket;
  readonly #asked: Asked[] = [];
  #text = '';
  #answered = 0;
  /** The server has said that it answers no more. */
  isOver = false;

  /** @param onUnanswered takes what the server has not answered; of a connection without any answer nothing */
  constructor(port: number, onUnanswered: (asked: Asked[], announced: boolean) => void) {
    let reason = new Error('the connection ended with requests unanswered');
    this.#socket = net.connect(port, '127.0.0.1');
    this.#socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
      while (this.#readAnswer());
    });
    this.#socket.on('error', (error) => {
      reason = error;
    });
    this.#socket.on('close', () => {
      const left = this.#asked.splice(0);
      const announced = this.isOver;
      this.isOver = true;
      if (announced || this.#answered > 0) onUnanswered(left, announced);
      else for (const { reject } of left) reject(reason);
    });
  }

  ask(asked: Asked): void {
    this.#asked.push(asked);
    this.#socket.write(kRequest);
  }

  end(): void {
    if (this.#asked.length === 0) this.#socket.destroy();
  }

  /** @returns whether there was a whole one */
  #readAnswer(): boolean {
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd === -1) return false;
    const head = this.#text.slice(0, headEnd);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    const bodyEnd = headEnd + 4 + length;
    if (this.#text.length < bodyEnd) return false;
    const body = this.#text.slice(headEnd + 4, bodyEnd);
    this.#text = this.#text.slice(bodyEnd);
    if (/^connection: close/im.test(head)) {
      this.isOver = true;
      this.#socket.end();
    }
    const [generation, pid] = ['x-generation', 'x-pid'].map(
      (name) => new RegExp(`^${name}: (\\d+)`, 'im').exec(head)?.[1],
    );
    const asked = this.#asked.shift();
    this.#answered++;
    if (body === `generation ${generation}, process ${pid}\n`) asked?.resolve(Number(generation));
    else asked?.reject(new Error(`wrong answer '${head.slice(0, 40)} ${body.slice(0, 40)}'`));
    return true;
  }
}
