// startRun(): `fdpass run` with real workers, as somebody uses it in a shell, and what asks those workers.
import http from 'node:http';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Child, type Ended, start } from './child';
import { bin } from './cli';
import { within } from './stage';
import { type Ending, tmpDir } from './tmp-dir';

/** The command line, to be run by Node. */
export const fdpass = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);

export interface RunPlan {
  /** Before '--'. */
  options?: string[];
  /** Behind it: the program and its arguments. */
  program: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Starts it: a command line that ours is put behind. */
  by?: string[];
  uid?: number;
}

export interface Run extends Child {
  /** The next text of its stderr that is this. */
  says(text: string): Promise<void>;
  /** How it has ended; fails if it takes too long. */
  end(): Promise<Ended>;
}

/** Where the control sockets of that test are. */
const folders = new WeakMap<Ending, string>();

export function runtime(t: Ending): string {
  const folder = folders.get(t) ?? tmpDir(t);
  folders.set(t, folder);
  return folder;
}

/** Called 'shop', without probation. */
export function startRun(t: Ending, { options = [], program, env = {}, cwd, by = [], uid }: RunPlan): Run {
  const [command = '', ...args] = [
    ...by,
    process.execPath,
    fdpass,
    'run',
    ...['--name', 'shop', '--probation', '0'],
    ...options,
    '--',
    ...program,
  ];
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const child = start(t, command, args, {
    env: { ...inherited, XDG_RUNTIME_DIR: runtime(t), ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let seen = '';
  let told = (): void => {};
  child.process.stderr?.on('data', (text: string) => {
    seen += text;
    told();
  });
  const ended = child.ended.then(() => told());
  return {
    ...child,
    end: () => within('the end of fdpass run', () => child.ended),
    says: (text) =>
      within(`"${text}" of fdpass run`, async () => {
        while (!seen.includes(text)) {
          const news = new Promise<void>((resolve) => {
            told = resolve;
          });
          await Promise.race([news, ended]);
          if (child.process.exitCode !== null && !seen.includes(text))
            throw new Error(`it ended without "${text}": ${(await child.ended).stderr}`);
        }
        seen = seen.slice(seen.indexOf(text) + text.length);
      }),
  };
}

/** A connection of its own for each question. @returns the body of the answer */
export async function ask(at: http.RequestOptions): Promise<string> {
  return await new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', ...at, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.once('end', () => resolve(body));
    });
    request.once('error', reject);
  });
}

/** For what no event tells of, such as that the kernel has forgotten a process. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  await within(what, async (signal) => {
    while (!holds()) await delay(5, undefined, { signal });
  });
}
