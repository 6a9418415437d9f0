// A running service and the commands that are given to it, in a runtime directory of their own.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Mode } from '../fixtures/service';
import { type Child, type Ended, start } from './child';
import { bin } from './cli';
import { within } from './stage';
import { type Ending, tmpDir } from './tmp-dir';

const root = path.dirname(require.resolve('fdpass/package.json'));

export interface Options {
  /** Given to createHandoff() besides the name. */
  handoff?: Record<string, unknown>;
  uid?: number;
}

export class Service {
  readonly name = 'shop';
  readonly folder: string;
  readonly #t: Ending;
  #child: Child | undefined;
  readonly #pids = new Set<number>();

  constructor(t: Ending) {
    this.#t = t;
    this.folder = tmpDir(t);
  }

  /** Where its control socket is. */
  get address(): string {
    return path.join(this.folder, 'fdpass', `${this.name}.sock`);
  }

  get env(): NodeJS.ProcessEnv {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    return { ...env, XDG_RUNTIME_DIR: this.folder };
  }

  /** What the next generation does. */
  next(mode: Mode): void {
    writeFileSync(path.join(this.folder, 'mode'), mode);
  }

  /** Starts the first process. @returns its pid, when it serves */
  async start(options: Options = {}): Promise<number> {
    this.next('good');
    const child = this.startService(options);
    this.#child = child;
    this.#t.after(() => this.#end(child));
    return await this.says('ready');
  }

  /** Starts one more process, which takes over if there is one already. */
  startService({ handoff = {}, uid }: Options = {}): Child {
    const file = path.join(__dirname, '../fixtures/service.js');
    const args = [file, this.name, this.folder, JSON.stringify(handoff)];
    const as = uid === undefined ? {} : { uid, gid: uid };
    return start(this.#t, process.execPath, args, { env: this.env, ...as });
  }

  /** Every process of it has ended. */
  async gone(): Promise<void> {
    await within('the end of the service', () => (this.#child as Child).ended);
  }

  /** The next line that says `what`. @returns the pid that says it */
  async says(what: string): Promise<number> {
    return (await this.hears(new RegExp(`^${what} (\\d+)$`))).pid;
  }

  /** The next line that matches. */
  async hears(pattern: RegExp): Promise<{ pid: number; line: string }> {
    return await within(String(pattern), async () => {
      for (;;) {
        const line = await (this.#child as Child).line();
        const pid = Number(/(\d+)$/.exec(line)?.[1]);
        this.#pids.add(pid);
        if (pattern.test(line)) return { pid, line };
      }
    });
  }

  startCli(...args: string[]): Child {
    return start(this.#t, process.execPath, [path.join(root, bin.fdpass), ...args], { env: this.env });
  }

  async run(...args: string[]): Promise<Ended> {
    return await within(`fdpass ${args.join(' ')}`, () => this.startCli(...args).ended);
  }

  /** What `fdpass COMMAND NAME --json` prints, and its exit code. */
  // biome-ignore lint/suspicious/noExplicitAny: each test says what it expects
  async json(...args: string[]): Promise<{ code: number | null; said: any; stderr: string }> {
    const { code, stdout, stderr } = await this.run(...args, '--json');
    return { code, said: JSON.parse(stdout), stderr };
  }

  // They share one stdout: it ends with the last of them. Each has said who it is before anything else.
  async #end(child: Child): Promise<void> {
    child.process.kill('SIGKILL');
    const drain = async (): Promise<void> => {
      for (;;) {
        for (const pid of this.#pids) end(pid);
        this.#pids.clear();
        await this.hears(/./);
      }
    };
    await Promise.race([child.ended, drain().catch(() => {})]);
    await child.ended;
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
