// Releases behind a symbolic link: a restart starts what the link leads to now.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { freshName } from '../helpers/address-name';
import { type Child, start } from '../helpers/child';
import { within } from '../helpers/stage';
import { type Ending, tmpDir } from '../helpers/tmp-dir';

/** Upgrades at SIGHUP; says for each generation which release it is of and where it is. */
const PROGRAM = `
const path = require('node:path');
const { createHandoff } = require(${JSON.stringify(require.resolve('fdpass'))});
async function main() {
  const [, program, name, elsewhere] = process.argv;
  const handoff = await createHandoff({ name, address: '@' + name, probation: { ms: 0 }, restartOn: 'SIGHUP' });
  const staying = setInterval(() => {}, 60_000); // nothing listens here
  handoff.superseded.then(() => clearInterval(staying));
  await handoff.ready();
  if (elsewhere) process.chdir(elsewhere);
  process.on('SIGTERM', () => handoff.close());
  const release = path.basename(__dirname);
  console.log(JSON.stringify({ pid: process.pid, release, program, cwd: process.cwd(), PWD: process.env.PWD }));
}
main();
`;

interface Said {
  pid: number;
  release: string;
  program: string;
  cwd: string;
  PWD: string | undefined;
}

interface Start {
  cwd: string;
  program: string;
  PWD?: string;
  elsewhere?: string;
}

class Deployment {
  readonly folder: string;
  #child: Child | undefined;
  readonly #pids: number[] = [];

  constructor(t: Ending) {
    this.folder = tmpDir(t);
    for (const release of ['r1', 'r2']) {
      mkdirSync(this.at(release));
      writeFileSync(this.at(release, 's.js'), PROGRAM);
    }
    this.deploy('r1');
    t.after(() => this.#end());
  }

  at(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** As `ln -sfn`, in one step. */
  deploy(release: string): void {
    symlinkSync(release, this.at('next'));
    renameSync(this.at('next'), this.at('current'));
  }

  async start(t: Ending, { cwd, program, PWD, elsewhere = '' }: Start): Promise<Said> {
    const { PWD: _, NODE_TEST_CONTEXT: __, ...clean } = process.env;
    const env = PWD === undefined ? clean : { ...clean, PWD };
    this.#child = start(t, process.execPath, [program, freshName(), elsewhere], { cwd, env });
    return await this.#said();
  }

  async restart({ pid }: Said): Promise<Said> {
    process.kill(pid, 'SIGHUP');
    return await this.#said();
  }

  async #said(): Promise<Said> {
    const line = await within('a generation', () => (this.#child as Child).line());
    const said = JSON.parse(line) as Said;
    this.#pids.push(said.pid);
    return said;
  }

  async #end(): Promise<void> {
    for (const pid of this.#pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    await this.#child?.ended;
  }
}

test('a process that was started in current/ is succeeded by the release that is current, again and again', async (t) => {
  const here = new Deployment(t);
  const current = here.at('current');
  const first = await here.start(t, { cwd: current, PWD: current, program: 's.js' });
  assert.equal(first.release, 'r1');
  here.deploy('r2');
  const second = await here.restart(first);
  assert.deepEqual(
    { ...second, pid: 0 },
    { pid: 0, release: 'r2', program: here.at('current/s.js'), cwd: here.at('r2'), PWD: current },
  );
  rmSync(here.at('r1'), { recursive: true });
  mkdirSync(here.at('r3'));
  writeFileSync(here.at('r3/s.js'), PROGRAM);
  here.deploy('r3');
  const third = await here.restart(second);
  assert.deepEqual([third.release, third.cwd], ['r3', here.at('r3')]);
});

test('the directory of the old release may be gone', async (t) => {
  const here = new Deployment(t);
  const current = here.at('current');
  const first = await here.start(t, { cwd: current, PWD: current, program: 's.js' });
  here.deploy('r2');
  rmSync(here.at('r1'), { recursive: true });
  assert.equal((await here.restart(first)).release, 'r2');
});

test('a program that was given by its path through the link is, too, wherever it was started', async (t) => {
  const here = new Deployment(t);
  const program = here.at('current/s.js');
  const first = await here.start(t, { cwd: '/', program });
  here.deploy('r2');
  const second = await here.restart(first);
  assert.deepEqual([first.release, second.release, second.cwd], ['r1', 'r2', '/']);
});

for (const PWD of [undefined, '/', 'current', '/nowhere']) {
  test(`where PWD is ${PWD} the same directory is used once more`, async (t) => {
    const here = new Deployment(t);
    const given = PWD === undefined ? {} : { PWD };
    const first = await here.start(t, { cwd: here.at('current'), program: 's.js', ...given });
    here.deploy('r2');
    const second = await here.restart(first);
    assert.deepEqual([second.release, second.cwd, second.PWD], ['r1', here.at('r1'), PWD]);
  });
}

test('a process that has gone to another directory is succeeded there, by the program that it was', async (t) => {
  const here = new Deployment(t);
  const current = here.at('current');
  const first = await here.start(t, { cwd: current, PWD: current, program: 's.js', elsewhere: here.folder });
  here.deploy('r2');
  const second = await here.restart(first);
  assert.deepEqual([second.release, second.cwd], ['r1', here.folder]);
});

test('a link that leads nowhere leaves the directory as it is', async (t) => {
  const here = new Deployment(t);
  const current = here.at('current');
  const first = await here.start(t, { cwd: current, PWD: current, program: 's.js' });
  here.deploy('r9');
  assert.equal((await here.restart(first)).release, 'r1');
});
