// The lines of a pool: kept within a bound, told to whoever follows.
import assert from 'node:assert/strict';
import test from 'node:test';
import { LogBook } from '#fdpass/pool/log-book';

const texts = (lines: readonly { line: string }[]): string[] => lines.map(({ line }) => line);

test('a line knows who has written it, when, and where', () => {
  const book = new LogBook({ now: () => 1_700_000_000_000 });
  let pid = 5;
  const writer = book.open({ worker: 2, generation: 3 }, () => pid);
  pid = 6;
  writer.write('stderr', Buffer.from('oh\n'));
  const expected = {
    time: 1_700_000_000_000,
    worker: 2,
    generation: 3,
    pid: 6,
    stream: 'stderr',
    line: 'oh',
  };
  assert.deepEqual(book.recent({ lines: 10 }), [expected]);
});

test('streams of a worker do not mix, and what has no end is told at its end', () => {
  const book = new LogBook();
  const writer = book.open({ worker: 1, generation: 1 }, () => 1);
  writer.write('stdout', Buffer.from('half of '));
  writer.write('stderr', Buffer.from('a warning\n'));
  writer.write('stdout', Buffer.from('a line\nthe last'));
  assert.deepEqual(texts(book.recent({ lines: 10 })), ['a warning', 'half of a line']);
  writer.end();
  assert.deepEqual(texts(book.recent({ lines: 10 })), ['a warning', 'half of a line', 'the last']);
});

test('the latest lines are asked for, of one worker or of all', () => {
  const book = new LogBook();
  const writers = [1, 2].map((worker) => book.open({ worker, generation: 1 }, () => worker));
  for (let i = 0; i < 10; i++) writers[i % 2]?.write('stdout', Buffer.from(`${i}\n`));
  assert.deepEqual(texts(book.recent({ lines: 3 })), ['7', '8', '9']);
  assert.deepEqual(texts(book.recent({ lines: 3, worker: 1 })), ['4', '6', '8']);
  assert.deepEqual(book.recent({ lines: 0 }), []);
});

test('the oldest lines go when the bound is reached, and one line is kept in any case', () => {
  const book = new LogBook({ maxBytes: 100_000 });
  const writer = book.open({ worker: 1, generation: 1 }, () => 1);
  for (let i = 0; i < 10_000; i++) writer.write('stdout', Buffer.from(`${i}`.padEnd(100, '.').concat('\n')));
  const kept = texts(book.recent({ lines: 10_000 })).map((line) => Number.parseInt(line, 10));
  assert.ok(kept.length > 100 && kept.length < 500, `${kept.length}`);
  assert.deepEqual(
    kept,
    Array.from({ length: kept.length }, (_, i) => 10_000 - kept.length + i),
  );
  const small = new LogBook({ maxBytes: 1 });
  small.open({ worker: 1, generation: 1 }, () => 1).write('stdout', Buffer.from('one\ntwo\n'));
  assert.deepEqual(texts(small.recent({ lines: 10 })), ['two']);
});

test('who follows hears each line until it has enough', () => {
  const book = new LogBook();
  const heard: string[] = [];
  const stop = book.follow(({ line }) => heard.push(line));
  const writer = book.open({ worker: 1, generation: 1 }, () => 1);
  writer.write('stdout', Buffer.from('one\n'));
  stop();
  writer.write('stdout', Buffer.from('two\n'));
  assert.deepEqual(heard, ['one']);
});
