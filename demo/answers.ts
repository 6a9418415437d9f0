/** Owns what every server of the demo and of the proofs answers: who it is, and what it was sent. */
import { createHash } from 'node:crypto';
import type * as http from 'node:http';

export function answersOf(generation: number): http.RequestListener {
  return (request, response) => {
    response.setHeader('x-generation', generation);
    response.setHeader('x-pid', process.pid);
    if (request.method === 'GET') response.end(`generation ${generation}, process ${process.pid}\n`);
    else echo(request, response);
  };
}

/** Answers with the length and the hash of what arrived, so that the client sees a lost or foreign byte. */
function echo(request: http.IncomingMessage, response: http.ServerResponse): void {
  const hash = createHash('sha256');
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    length += chunk.length;
  });
  request.on('end', () => response.end(`${length} ${hash.digest('hex')}\n`));
}
