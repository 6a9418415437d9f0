// The program that every pool runs, and that knows of none: a small answer that tells whose it is.
import http from 'node:http';

// A worker that nobody ends any more ends by itself.
const kLongestRunMs = 120_000;
setTimeout(() => process.exit(3), kLongestRunMs).unref();

const body = `${process.pid}\n`;
http
  .createServer((_request, response) => response.end(body))
  .listen(Number(process.env.BENCH_PORT), '127.0.0.1');
