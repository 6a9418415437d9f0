// fdpass top in a terminal, which script(1) makes: it shows, follows the size, and gives the terminal back on every way out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type Child, start } from '../helpers/child';
import { bin } from '../helpers/cli';
import { FakePool, workerStatus } from '../helpers/fake-pool';
import { within } from '../helpers/stage';

const program = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

/** The terminal's settings are printed when the command has ended. */
function startTop(t: test.TestContext, pool: FakePool): Child {
  const command = `echo $$; ${process.execPath} ${program} top shop --interval 100 --address ${pool.address}; echo code $?; stty -a`;
  return start(t, 'script', ['-qfc', command, '/dev/null'], {
    env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh' },
  });
}

/** Until what it prints has that. */
async function shows(top: Child, text: string): Promise<string> {
  return await within(text, async () => {
    let seen = '';
    while (!seen.includes(text)) seen += `${await top.line()}\n`;
    return seen;
  });
}

async function assertGivenBack(top: Child, code: number): Promise<void> {
  const { stdout } = await within('its end', () => top.ended);
  assert.ok(stdout.indexOf(ENTER) < stdout.lastIndexOf(LEAVE), JSON.stringify(stdout));
  const after = stdout.slice(stdout.lastIndexOf(LEAVE));
  assert.match(after, new RegExp(`^.*code ${code}\r\n`));
  assert.match(after, / icanon.* echo /s, 'no raw mode is left');
}

async function open(t: test.TestContext): Promise<{ top: Child; shell: number }> {
  const pool = await FakePool.open(t);
  pool.workers = [workerStatus(1), workerStatus(2)];
  const top = startTop(t, pool);
  const shell = Number(await top.line());
  await shows(top, '2.1 ');
  return { top, shell };
}

for (const [what, key] of [
  ['q', 'q'],
  ['Ctrl-C', '\x03'],
] as const) {
  test(`${what} ends it with code 0`, async (t) => {
    const { top } = await open(t);
    top.write(key);
    await assertGivenBack(top, 0);
  });
}

test('a signal ends it with the code of a shell', async (t) => {
  const { top, shell } = await open(t);
  const children = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8');
  process.kill(Number(children.trim()), 'SIGTERM');
  await assertGivenBack(top, 143);
});
