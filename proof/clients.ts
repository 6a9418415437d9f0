/** Owns the clients that must not notice a restart: how each asks, and how many of each there are. */
import * as http from 'node:http';
import { Client, type Kind } from '../demo/load-request';
import type { LoadClient } from '../demo/load-run';
import { loadPackage } from './packages';
import { Pipeline } from './pipeline';

/** 'built-in' needs no package. */
export type Mix = 'full' | 'built-in';

const kThinkMs = 20;
const kPipelines = 2;
/** Requests that a pipeline has on its way at a time. */
const kDepth = 4;
/** What connects anew for each request would use up the ephemeral ports in a long run: each leaves a TIME_WAIT of a minute. */
const kNewConnectionMs = 15;

/** Answers as those of demo/answers.ts. */
interface Answer {
  status: number | undefined;
  body: string;
  generation: string | undefined;
  pid: string | undefined;
}

type Get = (url: string) => Promise<Answer>;

export interface Crowd {
  clients: LoadClient[];
  /** Pipelined requests that were asked again. */
  resent: () => { announced: number; unannounced: number };
  /** Kinds that cannot take part. */
  missing: string[];
}

export function crowd(port: number, mix: Mix): Crowd {
  const url = `http://127.0.0.1:${port}/`;
  const pipelines = Array.from({ length: kPipelines }, () => new Pipeline(port));
  const clients = [
    ...times(20, () => known('keep-alive, busy', 'get', port, () => 0)),
    ...times(100, () => known(`keep-alive, up to ${kThinkMs} ms of thought`, 'get', port, think)),
    ...times(8, () => known('connection per request', 'get-new-connection', port, () => kNewConnectionMs)),
    ...times(8, () => known('POST of 16 KB', 'post', port, () => 3)),
    ...pipelines.flatMap((pipeline) =>
      times(kDepth, () => ({
        kind: `pipelining, ${kDepth} deep`,
        pauseMs: () => 1,
        send: () => pipeline.send(),
        close: () => pipeline.close(),
      })),
    ),
    ...times(8, sharing('http.Agent', getOfAgent(), url)),
    ...times(8, sharing('fetch', getOfFetch, url)),
  ];
  const missing: string[] = [];
  if (mix === 'full') {
    for (const [name, get] of [
      ['undici', getOfUndici()],
      ['axios', getOfAxios()],
    ] as const) {
      if (get === undefined) missing.push(name);
      else clients.push(...times(8, sharing(name, get, url)));
    }
  }
  const sum = (name: 'announced' | 'unannounced'): number =>
    pipelines.reduce((total, pipeline) => total + pipeline[name], 0);
  return {
    clients,
    missing,
    resent: () => ({ announced: sum('announced'), unannounced: sum('unannounced') }),
  };
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

const think = (): number => Math.random() * kThinkMs;

function known(name: string, kind: Kind, port: number, pauseMs: () => number): LoadClient {
  const client = new Client(kind, port);
  return { kind: name, pauseMs, send: () => client.send(), close: () => client.close() };
}

/** Callers that share whatever connections the client keeps. */
function sharing(kind: string, get: Get, url: string): () => LoadClient {
  return () => ({ kind, pauseMs: () => 3, send: async () => check(await get(url)), close() {} });
}

function check({ status, body, generation, pid }: Answer): number {
  if (status !== 200) throw new Error(`status ${status}`);
  if (body !== `generation ${generation}, process ${pid}\n`)
    throw new Error(`wrong body '${body.slice(0, 80)}'`);
  return Number(generation);
}

function getOfAgent(): Get {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  return (url) =>
    new Promise((resolve, reject) => {
      const request = http.get(url, { agent }, (response) => {
        let body = '';
        response.setEncoding('latin1').on('data', (text: string) => {
          body += text;
        });
        response.on('error', reject);
        response.on('end', () => {
          const { 'x-generation': generation, 'x-pid': pid } = response.headers as Record<string, string>;
          resolve({ status: response.statusCode, body, generation, pid });
        });
      });
      request.on('error', reject);
    });
}

const getOfFetch: Get = async (url) => {
  const response = await fetch(url);
  const [generation, pid] = ['x-generation', 'x-pid'].map((name) => response.headers.get(name) ?? undefined);
  return { status: response.status, body: await response.text(), generation, pid };
};

/** The part of undici that is used. */
interface Undici {
  Agent: new (options: { connections: number }) => unknown;
  request(
    url: string,
    options: { dispatcher: unknown },
  ): Promise<{ statusCode: number; headers: Record<string, string>; body: { text(): Promise<string> } }>;
}

function getOfUndici(): Get | undefined {
  const undici = loadPackage<Undici>('undici');
  if (undici === undefined) return undefined;
  const dispatcher = new undici.Agent({ connections: 4 });
  return async (url) => {
    const { statusCode, headers, body } = await undici.request(url, { dispatcher });
    return {
      status: statusCode,
      body: await body.text(),
      generation: headers['x-generation'],
      pid: headers['x-pid'],
    };
  };
}

/** The part of axios that is used. */
interface Axios {
  get(
    url: string,
    options: { httpAgent: http.Agent; responseType: 'text'; proxy: false },
  ): Promise<{ status: number; headers: Record<string, string>; data: string }>;
}

function getOfAxios(): Get | undefined {
  const axios = loadPackage<Axios>('axios');
  if (axios === undefined) return undefined;
  const httpAgent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  return async (url) => {
    const { status, headers, data } = await axios.get(url, { httpAgent, responseType: 'text', proxy: false });
    return { status, body: data, generation: headers['x-generation'], pid: headers['x-pid'] };
  };
}
