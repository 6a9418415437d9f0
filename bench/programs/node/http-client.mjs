// One client over HTTP, which never asks again: what fails has failed.
import http from 'node:http';

/** Of one connection, kept or new for each request. */
export class HttpClient {
  #options;

  /** @param keepAlive false: each request on a connection of its own */
  constructor(address, { localAddress, keepAlive }) {
    const [host, port] = address.split(':');
    const agent = new http.Agent({ keepAlive, maxSockets: 1 });
    this.#options = { host, port: Number(port), localAddress, agent };
  }

  /** @returns the pid of the worker that has answered @throws Error: no answer, or half of one, or a wrong one */
  ask() {
    return new Promise((resolve, reject) => {
      const onResponse = (response) => {
        let body = '';
        response.setEncoding('latin1').on('data', (text) => {
          body += text;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200 && /^\d+\n$/.test(body)) resolve(Number(body));
          else reject(new Error(`status ${response.statusCode}, body '${body.slice(0, 80)}'`));
        });
      };
      http.get(this.#options, onResponse).on('error', reject);
    });
  }

  close() {
    this.#options.agent.destroy();
  }
}

/** 127.0.0.1, 127.0.0.2, ... */
export function clientAddress(index) {
  return `127.0.0.${index + 1}`;
}
