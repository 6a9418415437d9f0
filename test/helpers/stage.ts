// Stage: real server processes under the direction of a test. Each one, whoever started it, connects to the stage, tells
// what happens to it, and does what it is told. Everything ends with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { UpgradeOptions } from 'fdpass';
import type { ListenerPlan, Plan } from '../fixtures/handoff-server';
import type { Ending } from './tmp-dir';

/** Longest wait for any event. Far above what any takes, under an emulated CPU, too; below the limit of the test runner. */
const PATIENCE_MS = 30_000;
const FIXTURE = 'handoff-server';

/** What a process reports: `event` and its details. */
export type Report = { event: string } & Record<string, unknown>;

/** An error of the process, as it came through JSON. */
export interface Failure extends Error {
  code: string;
  stderr?: string;
  exitCode?: number | null;
  pid?: number;
  ageMs?: number;
  state?: string;
}

export type Script = Partial<Omit<Plan, 'director'>>;

export interface StartOptions {
  /** Of test/fixtures. */
  fixture?: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
}

/** One server process. */
export class Actor {
  readonly pid: number;
  /** Set if the test itself has started the process. */
  child: ChildProcess | undefined;
  readonly reports: Report[] = [];
  /** The process has ended: the kernel has closed its connection. */
  readonly gone: Promise<void>;
  alive = true;
  readonly #socket: net.Socket;
  readonly #news = new EventEmitter();
  #commands = 0;

  constructor(socket: net.Socket, pid: number) {
    this.#socket = socket;
    this.pid = pid;
    this.gone = new Promise((resolve) => {
      socket.once('close', () => {
        this.alive = false;
        this.#news.emit('report');
        resolve();
      });
    });
  }

  /** @internal */
  receive(report: Report): void {
    this.reports.push(report);
    this.#news.emit('report');
  }

  /** The first report of that name, which may have come already. Fails if the process ends without it. */
  async event(name: string, matches: (report: Report) => boolean = () => true): Promise<Report> {
    return await within(`${name} of process ${this.pid}`, async (signal) => {
      for (;;) {
        const found = this.reports.find((report) => report.event === name && matches(report));
        if (found !== undefined) return found;
        if (!this.alive) throw new Error(`process ${this.pid} ended without "${name}": ${this.story()}`);
        await once(this.#news, 'report', { signal });
      }
    });
  }

  /** Rejects with the error of the process. */
  async call<T = unknown>(command: string, given: Record<string, unknown> = {}): Promise<T> {
    const id = ++this.#commands;
    this.#socket.write(`${JSON.stringify({ id, do: command, ...given })}\n`);
    const { value, error } = await this.event('reply', (report) => report['id'] === id);
    if (error !== undefined) throw Object.assign(new Error(), error);
    return value as T;
  }

  /** What it has reported so far, for the message of a failed assertion. */
  story(): string {
    return JSON.stringify(this.reports);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    process.kill(this.pid, signal);
    if (signal === 'SIGKILL') await within(`the end of process ${this.pid}`, () => this.gone);
  }

  /** @returns its exit code, as it told itself */
  async exit(): Promise<number> {
    await within(`the end of process ${this.pid}`, () => this.gone);
    return this.reports.find((report) => report.event === 'exit')?.['code'] as number;
  }
}

export class Stage {
  readonly directory: string;
  /** What the processes wrote to stderr, all together: a successor has that of its predecessor. */
  stderr = '';
  readonly actors: Actor[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #director: net.Server;
  readonly #script: Script;
  readonly #entrances = new EventEmitter();
  #entered = 0;

  /** @param script what every process of this stage plays, unless it is told otherwise */
  static async open(t: Ending, script: Script = {}): Promise<Stage> {
    const stage = new Stage(script);
    t.after(() => stage.close());
    stage.#director.listen(stage.file('director'));
    await once(stage.#director, 'listening');
    return stage;
  }

  private constructor(script: Script) {
    this.directory = mkdtempSync(path.join(tmpdir(), 'fdpass-stage-'));
    this.#script = script;
    this.#director = net.createServer((socket) => this.#onConnection(socket));
  }

  file(name: string): string {
    return path.join(this.directory, name);
  }

  get control(): string {
    return this.#script.address ?? this.file('control');
  }

  plan(script: Script = {}): Plan {
    const defaults = {
      name: 'test',
      address: this.file('control'),
      listeners: [web()],
      probation: { ms: 0 },
    };
    return { ...defaults, ...this.#script, ...script, director: this.file('director') };
  }

  /** For upgrade(): makes the successor play this. */
  options(script: Script = {}, more: UpgradeOptions = {}): Record<string, unknown> {
    return { options: { env: { TEST_PLAN: JSON.stringify(this.plan(script)) }, ...more } };
  }

  fixture(name = FIXTURE): string {
    return path.join(__dirname, '../fixtures', `${name}.js`);
  }

  /** Starts a process of our own; it may be anywhere in its boot when this resolves. */
  async enter(script: Script = {}, { env = {}, uid, fixture }: StartOptions = {}): Promise<Actor> {
    const child = spawn(process.execPath, [this.fixture(fixture)], {
      env: { ...cleanEnvironment(), ...env, TEST_PLAN: JSON.stringify(this.plan(script)) },
      stdio: ['ignore', 'ignore', 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#children.push(child);
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk;
      this.#entrances.emit('stderr');
    });
    const actor = await this.#await(`process ${child.pid}`, 'entrance', () =>
      this.actors.find(({ pid }) => pid === child.pid),
    );
    actor.child = child;
    return actor;
  }

  /** Starts a process and waits until it serves. */
  async start(script: Script = {}, options: StartOptions = {}): Promise<Actor> {
    const actor = await this.enter(script, options);
    await actor.event('ready');
    return actor;
  }

  /** The next process that somebody else starts. */
  async next(): Promise<Actor> {
    return await this.#await('another process', 'entrance', () => {
      const strangers = this.actors.filter(({ pid }) => !this.#children.some((child) => child.pid === pid));
      return strangers[this.#entered] === undefined ? undefined : strangers[this.#entered++];
    });
  }

  async stderrHas(text: string): Promise<void> {
    await this.#await(`"${text}" on stderr`, 'stderr', () => (this.stderr.includes(text) ? true : undefined));
  }

  /** Upgrades through `actor`. @returns its successor, ready */
  async upgrade(actor: Actor, script: Script = {}): Promise<Actor> {
    const [, successor] = await Promise.all([actor.call('upgrade', this.options(script)), this.next()]);
    await successor.event('ready');
    return successor;
  }

  async close(): Promise<void> {
    for (const { alive, pid } of this.actors) if (alive) process.kill(pid, 'SIGKILL');
    for (const child of this.#children)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await within('the end of every process', () => Promise.all(this.actors.map(({ gone }) => gone)));
    await within('the end of every child', () => Promise.all(this.#children.map(closed)));
    this.#director.close();
    await once(this.#director, 'close');
    rmSync(this.directory, { recursive: true, force: true });
  }

  #onConnection(socket: net.Socket): void {
    let actor: Actor | undefined;
    socket.on('error', () => {}); // killed with something of ours unread
    const lines = createInterface({ input: socket });
    lines.on('error', () => {}); // it emits the socket's as its own
    lines.on('line', (line) => {
      const report = JSON.parse(line) as Report;
      if (report.event === 'hello') {
        actor = new Actor(socket, report['pid'] as number);
        this.actors.push(actor);
        this.#entrances.emit('entrance');
      }
      actor?.receive(report);
    });
  }

  async #await<T>(what: string, news: string, find: () => T | undefined): Promise<T> {
    return await within(what, async (signal) => {
      for (;;) {
        const found = find();
        if (found !== undefined) return found;
        await once(this.#entrances, news, { signal });
      }
    });
  }
}

/** A listener for the script. Default: HTTP on a free port of the loopback. */
export function web(over: Partial<ListenerPlan> = {}): ListenerPlan {
  return { name: 'web', kind: 'http', options: { port: 0, host: '127.0.0.1' }, ...over };
}

/** The port of a listener in a 'ready' report. */
export function portOf(actor: Actor, name = 'web'): number {
  const ready = actor.reports.find((report) => report.event === 'ready');
  const listeners = (ready?.['listeners'] ?? []) as { name: string; address: string }[];
  return Number(
    listeners
      .find((listener) => listener.name === name)
      ?.address.split(':')
      .at(-1),
  );
}

/** Rejects, naming what was awaited, if it takes too long. */
export async function within<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work(abort.signal), late]);
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

function closed(child: ChildProcess): Promise<unknown> {
  const done = child.stdout?.destroyed !== false && child.stderr?.destroyed !== false;
  const ended = child.exitCode !== null || child.signalCode !== null;
  return ended && done ? Promise.resolve() : once(child, 'close');
}

// What the test runner tells its own children is not for ours.
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env;
  return rest;
}
