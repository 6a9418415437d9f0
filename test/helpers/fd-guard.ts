// The guard against leaked descriptors: preloaded into the process of every test file, it compares /proc/self/fd at the
// end with the beginning and fails the file.
import { readdirSync, readlinkSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

// What libuv and V8 open on first use and keep until the process ends: a loop's epoll and eventfd descriptors, inotify
// for fs.watch(), io_uring for file operations. Nothing in this package opens one of these, so none can be our leak.
const openedByNodeItself = new Set([
  'anon_inode:[eventpoll]',
  'anon_inode:[eventfd]',
  'anon_inode:inotify',
  'anon_inode:[io_uring]',
]);

// Sockets, pipes, files and pidfds are all compared. By what they refer to and not by number: a number that was closed
// and opened again for something else is a leak, the same thing under another number is not.
function openDescriptors(): Map<string, string[]> {
  const numbersByTarget = new Map<string, string[]>();
  for (const number of readdirSync('/proc/self/fd')) {
    const target = targetOf(number);
    if (target === undefined || openedByNodeItself.has(target)) continue;
    numbersByTarget.set(target, [...(numbersByTarget.get(target) ?? []), number]);
  }
  return numbersByTarget;
}

function targetOf(number: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${number}`);
  } catch {
    return undefined; // the descriptor by which readdirSync() read the folder
  }
}

// For each target that is open more often than before, that many of its new numbers.
function leaks(before: Map<string, string[]>, after: Map<string, string[]>): string[] {
  return [...after].flatMap(([target, numbers]) => {
    const known = before.get(target) ?? [];
    const added = numbers.filter((number) => !known.includes(number));
    const count = Math.max(0, numbers.length - known.length);
    return added.slice(0, count).map((number) => `  fd ${number} -> ${target}`);
  });
}

// With its first stream a libuv loop opens /dev/null in reserve for EMFILE (uv__stream_init). It shall be in the count
// before the test, so that a leaked /dev/null is still told.
function openReserveDescriptor(): void {
  createServer().listen(0).close();
}

function watch(): void {
  openReserveDescriptor();
  const before = openDescriptors();
  // At 'exit' the loop has ended by itself: whatever would still close has closed. A root after() hook is too early.
  process.on('exit', () => {
    const leaked = leaks(before, openDescriptors());
    if (leaked.length === 0) return;
    writeSync(2, `${process.argv[1]} leaked ${leaked.length} descriptors:\n${leaked.join('\n')}\n`);
    process.exitCode = 1;
  });
}

// fork() and cluster hand process.execArgv on to their children, which end as their test wants.
function keepOutOfChildren(): void {
  process.execArgv = process.execArgv.filter((argument) => !argument.includes(__filename));
}

// Not in `node --test` itself. Worker threads preload this too, and share the descriptors.
if (isMainThread && !process.execArgv.includes('--test')) {
  keepOutOfChildren();
  watch();
}
