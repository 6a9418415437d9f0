// Lines on their way to a reader that is fast, slow, or stuck.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeFrame } from '#fdpass/handoff/frame';
import { LogFeed, type LogFrame } from '#fdpass/handoff/log-feed';
import { MAX_LINE_BYTES } from '#fdpass/handoff/pool-commands';
import { logLine } from '../helpers/fake-pool';

/** Takes a frame each time that it is told to. */
class Reader {
  readonly frames: LogFrame[] = [];
  #take = (): void => {};

  readonly deliver = (frame: LogFrame): Promise<void> => {
    this.frames.push(frame);
    encodeFrame({ type: 'PROGRESS', txn: '0'.repeat(32), sequence: 0, payload: frame }); // it fits
    return new Promise((resolve) => {
      this.#take = resolve;
    });
  };

  async take(): Promise<void> {
    this.#take();
    await new Promise(setImmediate);
  }
}

/** In memory anyhow: none is left out. */
const KEPT = { kept: true };

const texts = ({ lines = [] }: LogFrame = {}): string[] => lines.map(({ line }) => line);

test('what comes in one turn goes in one frame, and what comes meanwhile in the next', async () => {
  const reader = new Reader();
  const feed = new LogFeed(reader.deliver);
  feed.push(logLine('one'));
  feed.push(logLine('two'));
  await new Promise(setImmediate);
  feed.push(logLine('three'));
  assert.deepEqual(reader.frames.map(texts), [['one', 'two']]);
  await reader.take();
  assert.deepEqual(reader.frames.map(texts), [['one', 'two'], ['three']]);
});

test('the longest lines fit into a frame, whatever is in them', async () => {
  const reader = new Reader();
  const feed = new LogFeed(reader.deliver);
  for (const byte of ['\x01', '"', 'x', '\ufffd'])
    for (let i = 0; i < 20; i++)
      feed.push(logLine(byte.repeat(MAX_LINE_BYTES / Buffer.byteLength(byte))), KEPT);
  await new Promise(setImmediate);
  while (reader.frames.flatMap(texts).length < 80) await reader.take();
  assert.ok(reader.frames.length > 20 && reader.frames.length < 80, 'short ones share a frame');
});

test('a reader that is stuck misses lines, hears how many and where, and gets those that come later', async () => {
  const reader = new Reader();
  const feed = new LogFeed(reader.deliver);
  for (let i = 0; i < 1_000; i++) feed.push(logLine(`${i}`.padEnd(1_000)));
  await new Promise(setImmediate);
  for (let i = 0; i < 3; i++) await reader.take(); // there is room again
  for (let i = 1_000; i < 1_010; i++) feed.push(logLine(`${i}`));
  for (let i = 0; i < 20; i++) await reader.take();
  const numbers = reader.frames.flatMap(texts).map((line) => Number(line));
  const gap = numbers.findIndex((number, i) => number !== i);
  assert.ok(gap > 100 && gap < 1_000, `${gap}`);
  assert.deepEqual(
    numbers.slice(gap),
    Array.from({ length: 10 }, (_, i) => 1_000 + i),
  );
  const told = reader.frames.filter(({ dropped }) => dropped !== undefined);
  assert.deepEqual(
    told.map(({ dropped, lines }) => [dropped, Number(lines?.[0]?.line)]),
    [[1_000 - gap, 1_000]],
    'in front of what comes behind them',
  );
});

test('lines that were dropped last are told, too', async () => {
  const reader = new Reader();
  const feed = new LogFeed(reader.deliver);
  for (let i = 0; i < 1_000; i++) feed.push(logLine(`${i}`.padEnd(1_000)));
  await new Promise(setImmediate);
  for (let i = 0; i < 20; i++) await reader.take();
  const arrived = reader.frames.flatMap(texts).length;
  assert.deepEqual(reader.frames.at(-1), { dropped: 1_000 - arrived });
});

test('beats do not pile up before a reader that is stuck', async () => {
  const reader = new Reader();
  const feed = new LogFeed(reader.deliver);
  for (let i = 0; i < 10; i++) feed.beat();
  assert.deepEqual(reader.frames, [{}]);
  feed.push(logLine('one'));
  await reader.take();
  assert.deepEqual(reader.frames.map(texts), [[], ['one']]);
});
