// fdpass ls: sockets and their holders, as a table and as JSON.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { UnixAddress, UnixDatagram, UnixSeqpacketServer } from 'fdpass';
import { formatTable } from '#fdpass/cli/table';
import { freshName } from '../helpers/address-name';
import { start } from '../helpers/child';
import { runCli, startCli } from '../helpers/cli';
import { closeAfter } from '../helpers/link';
import { tmpDir } from '../helpers/tmp-dir';

const me = process.geteuid?.() === 0 ? 'root' : '\\S+';

test('the table shows state, type, process, user, command and address', async (t) => {
  const at = path.join(tmpDir(t), 'a.sock');
  closeAfter(t, new UnixSeqpacketServer().listen(at));
  const { code, stdout, stderr } = await runCli(t, 'ls', at);
  assert.deepEqual([code, stderr], [0, '']);
  const [head, line, ...rest] = stdout.split('\n');
  assert.match(head ?? '', /^STATE +TYPE +PID +USER +COMMAND +ADDRESS$/);
  assert.match(line ?? '', new RegExp(`^listening +seqpacket +${process.pid} +${me} +\\S.{0,39} +${at}$`));
  assert.deepEqual(rest, ['']);
});

test('TEXT is looked for in the address only', async (t) => {
  const name = freshName();
  closeAfter(t, new UnixDatagram().bind(`@${name}/one`), new UnixDatagram().bind(`@${name}/two`));
  const { stdout } = await runCli(t, 'ls', `@${name}/`);
  const found = [...stdout.matchAll(/ (@\S+)$/gm)].map((match) => match[1]);
  assert.deepEqual(found, [`@${name}/one`, `@${name}/two`]);
  const all = await runCli(t, 'ls');
  assert.ok(all.stdout.includes(`@${name}/one\n`));
});

test('every process that holds a socket has a line', async (t) => {
  const address = `@${freshName()}`;
  const server = new UnixSeqpacketServer().listen(address);
  closeAfter(t, server);
  const child = start(t, 'sh', ['-c', 'echo up; read line'], { stdio: ['pipe', 'pipe', 'pipe', server.fd] });
  await child.line();
  const { stdout } = await runCli(t, 'ls', address);
  assert.equal(stdout.split(address).length - 1, 2);
  assert.match(stdout, new RegExp(` ${child.process.pid} .* sh -c echo up; read line `));
  child.process.stdin?.end();
  await child.ended;
});

test('--json is an array of objects for scripts', async (t) => {
  const address = UnixAddress.abstract(Buffer.concat([Buffer.from(freshName()), Buffer.from([0xff, 0x0a])]));
  const socket = new UnixDatagram().bind(address);
  closeAfter(t, socket);
  const { code, stdout, stderr } = await runCli(t, 'ls', '--json', address.toString());
  assert.deepEqual([code, stderr], [0, '']);
  const [info, ...others] = JSON.parse(stdout);
  assert.deepEqual(others, []);
  const { owners, inode, ...rest } = info;
  assert.deepEqual(rest, {
    address: address.toString(),
    kind: 'abstract',
    type: 'dgram',
    state: 'unconnected',
  });
  assert.ok(Number.isSafeInteger(inode) && inode > 0);
  assert.equal(owners.length, 1);
  assert.deepEqual([owners[0].pid, owners[0].uid], [process.pid, process.geteuid?.()]);
  assert.equal(typeof owners[0].command, 'string');
});

test('nothing found is no failure: no table, a remark on stderr, [] as JSON', async (t) => {
  const name = freshName();
  assert.deepEqual(await runCli(t, 'ls', name), {
    code: 0,
    signal: null,
    stdout: '',
    stderr: `fdpass ls: no socket has a name with '${name}' in it\n`,
  });
  assert.deepEqual(await runCli(t, 'ls', name, '--json'), {
    code: 0,
    signal: null,
    stdout: '[]\n',
    stderr: '',
  });
});

test('a reader that goes away early is no failure', async (t) => {
  const name = freshName();
  const sockets = Array.from({ length: 200 }, (_, i) => new UnixDatagram().bind(`@${name}-${i}`));
  closeAfter(t, ...sockets);
  const child = startCli(t, 'ls', name, '--json');
  child.process.stdout?.destroy();
  const { code, signal, stderr } = await child.ended;
  assert.deepEqual([code, signal, stderr], [0, null, '']);
});

test('more than a pipe holds arrives whole', async (t) => {
  const name = `${freshName()}-`.padEnd(100, 'x');
  const sockets = Array.from({ length: 500 }, (_, i) => new UnixDatagram().bind(`@${name}${i}`));
  closeAfter(t, ...sockets);
  const { code, stdout } = await runCli(t, 'ls', name, '--json');
  assert.ok(stdout.length > 65_536);
  assert.deepEqual([code, JSON.parse(stdout).length], [0, 500]);
});

test('a table has columns as wide as their widest cell, and no trailing spaces', () => {
  const text = formatTable(
    ['A', 'LONG', 'C'],
    [
      ['wide', 'x', ''],
      ['y', undefined, 'z'],
    ],
  );
  assert.equal(text, 'A     LONG  C\nwide  x\ny     -     z\n');
});
