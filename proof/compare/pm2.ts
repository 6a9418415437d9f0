/** Owns the run with PM2: two instances in its cluster mode, `pm2 reload`, a daemon and a home of its own. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { monotonicMs } from '../../demo/clock';
import type { Setting, Started, Subject } from '../../demo/course';
import type { Restart } from '../../demo/outcome';
import { packageFile } from '../packages';
import { freePort } from './free-port';

const kWorker = path.join(__dirname, 'worker.js');
const kName = 'fdpass-proof';
const kInstances = '2';
/** Longer than what the worker gives its connections. */
const kKillMs = '3000';

export class Pm2Subject implements Subject {
  readonly label = 'PM2 reload';
  readonly #setting: Setting;
  readonly #home: string;
  #pid = Number.NaN;

  constructor(setting: Setting, directory: string) {
    this.#setting = setting;
    this.#home = path.join(directory, 'pm2');
  }

  async start(): Promise<Started> {
    const port = await freePort();
    const env = { PORT: String(port), GENERATION: '0' };
    const options = ['-i', kInstances, '--name', kName, '--wait-ready', '--kill-timeout', kKillMs];
    await this.#pm2(['start', kWorker, ...options], env);
    this.#pid = Number(readFileSync(path.join(this.#home, 'pm2.pid'), 'utf8'));
    this.#setting.children.learn(this.#pid);
    return { generation: 0, pid: this.#pid, port };
  }

  async restart(): Promise<Restart> {
    const startMs = monotonicMs();
    await this.#pm2(['reload', kName]);
    const switchedAtMs = monotonicMs();
    const startToReadyMs = switchedAtMs - startMs;
    return {
      how: this.label,
      generation: 0,
      pid: this.#pid,
      switchedAtMs,
      startToReadyMs,
      readyToStoppedMs: null,
    };
  }

  async end(): Promise<void> {
    await this.#pm2(['kill']);
  }

  async #pm2(args: readonly string[], env: Record<string, string> = {}): Promise<void> {
    const home = { PM2_HOME: this.#home, PM2_DISABLE_VERSION_CHECK: 'true' };
    const child = this.#setting.children.spawn(packageFile('pm2', 'bin/pm2'), args, { ...home, ...env });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`pm2 ${args[0]} ended with code ${code}`);
  }
}
