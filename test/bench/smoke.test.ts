// The benchmark runs and prints its table. Never how fast: other processes run beside the tests.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../helpers/child';
import { tmpDir } from '../helpers/tmp-dir';

const main = path.join(path.dirname(require.resolve('fdpass/package.json')), 'bench', 'main.mjs');
/** What needs no package of anybody else. */
const BUILT_IN = 'c,c-again,fdpass,net';
const CASES = ['ping-pong-stream', 'one-way-seqpacket-128B', 'fds-16'];

interface Round {
  value: number;
  lost: number;
  shares?: number[];
}

interface Case {
  name: string;
  results: { contender: string; failures: string[]; rounds: (Round | null)[] }[];
}

function readCases(json: string): Case[] {
  return (JSON.parse(readFileSync(json, 'utf8')) as { cases: Case[] }).cases;
}

test('a quick benchmark of the built-in contenders runs each of them and loses nothing', async (t) => {
  const json = path.join(tmpDir(t), 'run.json');
  const args = [main, '--quick', '--contenders', BUILT_IN, '--json', json, ...CASES];
  const { code, stdout, stderr } = await start(t, process.execPath, args).ended;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /ping-pong, 128 B, stream/);
  assert.match(stdout, /^Node net +\S/m);
  const cases = readCases(json);
  assert.deepEqual(
    cases.map(({ name }) => name),
    CASES,
  );
  for (const { name, results } of cases) {
    for (const { contender, failures, rounds } of results) {
      assert.deepEqual(failures, [], `${name}, ${contender}`);
      assert.deepEqual(
        rounds.map((round) => round?.lost),
        [0],
        `${name}, ${contender}`,
      );
    }
  }
});

test('a quick benchmark of pools asks each of them, splits all clients and replaces workers without a failure', async (t) => {
  const json = path.join(tmpDir(t), 'run.json');
  const pools = ['cluster-rr', 'fdpass-pool-kernel', 'fdpass-pool-least'];
  const names = ['pool-requests', 'pool-split-2', 'pool-roll'];
  const args = [main, '--quick', '--contenders', pools.join(), '--json', json, ...names];
  const { code, stdout, stderr } = await start(t, process.execPath, args).ended;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^pool-requests +fdpass-pool-least +cluster-rr +at least 1\.3 /m);
  const cases = readCases(json);
  for (const { name, results } of cases) {
    assert.deepEqual(
      results.map(({ contender, failures }) => [contender, failures]),
      pools.map((contender) => [contender, []]),
      name,
    );
  }
  const rounds = (name: string, contender: string): (Round | null)[] =>
    cases.find((one) => one.name === name)?.results.find((one) => one.contender === contender)?.rounds ?? [];
  for (const pool of pools) {
    const [requests] = rounds('pool-requests', pool);
    assert.ok(requests && requests.value > 0 && requests.lost === 0, `${pool}: ${JSON.stringify(requests)}`);
    const [split] = rounds('pool-split-2', pool);
    assert.equal(
      split?.shares?.reduce((sum, share) => sum + share, 0),
      200,
      pool,
    );
    if (pool.startsWith('fdpass')) assert.equal(rounds('pool-roll', pool)[0]?.value, 0, pool);
  }
});

test('a name that is no case is refused with what to do', async (t) => {
  const { code, stderr } = await start(t, process.execPath, [main, '--quick', 'nonsense']).ended;
  assert.equal(code, 2);
  assert.match(stderr, /no case is named 'nonsense'; --list tells their names/);
});
