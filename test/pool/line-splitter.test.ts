// Lines of what a worker writes: the same whatever the chunks are.
import assert from 'node:assert/strict';
import test from 'node:test';
import { MAX_LINE_BYTES } from '#fdpass/handoff/pool-commands';
import { LineSplitter } from '#fdpass/pool/line-splitter';
import { seeded } from '../helpers/random';

function split(chunks: readonly Buffer[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.write(chunk);
  splitter.end();
  return lines;
}

const TEXT = '\x1b[31mred\x1b[0m\n\nGrüße aus 東京 🎌\r\nlast';
const LINES = ['\x1b[31mred\x1b[0m', '', 'Grüße aus 東京 🎌', 'last'];

test('chunks of every size give the same lines, with colours and characters whole', () => {
  const bytes = Buffer.from(TEXT);
  for (let size = 1; size <= bytes.length; size++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    assert.deepEqual(split(chunks), LINES, `${size}`);
  }
});

test('a chunk may be written to again: nothing of it is kept', () => {
  const chunk = Buffer.from('abc');
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  splitter.write(chunk);
  chunk.fill('x');
  splitter.write(Buffer.from('\n'));
  assert.deepEqual(lines, ['abc']);
});

test('a line without an end comes in pieces of the longest length, between characters', () => {
  const text = `${'🎌'.repeat(MAX_LINE_BYTES)}.`;
  const bytes = Buffer.from(`x${text}`);
  const random = seeded(1);
  for (let round = 0; round < 20; round++) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + random.below(3 * MAX_LINE_BYTES);
      chunks.push(bytes.subarray(at, at + size));
      at += size;
    }
    const lines = split(chunks);
    assert.equal(lines.join(''), `x${text}`);
    assert.ok(lines.every((line) => Buffer.byteLength(line) <= MAX_LINE_BYTES));
    assert.ok(lines.slice(0, -1).every((line) => Buffer.byteLength(line) > MAX_LINE_BYTES - 4));
  }
});

test('what is no UTF-8 is cut at the limit all the same', () => {
  const lines = split([Buffer.alloc(3 * MAX_LINE_BYTES, 0x80)]);
  assert.equal(lines.length, 3);
});

test('no output has no lines', () => {
  assert.deepEqual(split([]), []);
  assert.deepEqual(split([Buffer.from('\n')]), ['']);
});
