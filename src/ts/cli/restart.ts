// fdpass restart: a service replaces itself by a new process of the same program.
import { ask } from '../handoff/ask';
import type { Failure, Result } from '../handoff/command';
import type { Progress } from '../handoff/pool-commands';
import type { RollReceipt } from '../handoff/pool-status';
import type { Receipt } from '../handoff/receipt';
import type { Command } from './command';
import { parseCommandLine } from './command-line';
import { otherAnswer, printJson } from './failure';
import { ProgressLine } from './progress';
import { formatTable } from './table';
import { TARGET_HELP, TARGET_OPTIONS, type Target, targetOf } from './target';
import { formatBytes, formatMs } from './units';

const RESTART_EXIT = { committed: 0, failed: 1, rolledback: 2, busy: 3 } as const;

export const restart: Command = {
  acts: true,
  help: `Replace a service by a new process, or the workers of a pool by new ones, without losing a request.

  fdpass restart NAME [--supervisor] [--json] [--timeout MS] [--address AT]

${TARGET_HELP}
  --supervisor   of a pool: replace the process that holds it, not its workers
  --json         for scripts: one object on stdout, { outcome, ... }; see below
  --timeout MS   stop waiting after so many milliseconds; default: as long as the upgrade takes
  --help         this text

  fdpass restart shop    # deploy first: this starts the program that is on the disk now

The running process does it, as by handoff.upgrade(): it starts its own command line once more and hands its sockets
over. If the new process fails, the old one goes on. The command only watches: stderr has a line for each state, stdout
the receipt. To close it (Ctrl-C, --timeout) does not abort the upgrade; 'fdpass abort NAME' does.

A pool replaces its workers one after the other, each when the new one has proved itself. A new worker that is no
good stops that: the old one of its place and those behind it serve on.

Exit code, and "outcome" of --json:
  0   committed   the new process owns the service; { receipt }
  0   rolled      the workers are new; { receipt: { replaced: [{ worker, pid, predecessor, startToReadyMs }], ms } }
  1   failed      the old one serves; { code, reason, stderr, exitCode, signal } (stderr: the end of the new one's)
  1   refused     it is another service, or too old for this; { reason }
  1   unknown     nobody answers, or the answer is still out; { code, reason }
  2   rolledback  the new one served and was no good, the old one serves again; as failed
  3   busy        another upgrade is in progress; { pid, state, ageMs }, of a roll also { worker, done, total }
  64              the command line is wrong
`,
  async run(args) {
    const { target, supervisor } = parse(args);
    const line = new ProgressLine(process.stderr);
    const result = await watch(target, supervisor, line);
    return report(result, target, line.last);
  },
};

function parse(args: readonly string[]): { target: Target; supervisor: boolean } {
  const options = { ...TARGET_OPTIONS, supervisor: { type: 'boolean' } } as const;
  const { values, positionals } = parseCommandLine({ args: [...args], options, allowPositionals: true });
  return { target: targetOf(values, positionals), supervisor: values.supervisor ?? false };
}

async function watch(
  { name, address, timeoutMs }: Target,
  supervisor: boolean,
  line: ProgressLine,
): Promise<Result> {
  const onProgress = (progress: Progress): void => line.show(progress);
  const more = supervisor ? { supervisor } : {};
  try {
    return await ask({ address, command: 'restart', name, timeoutMs, more, onProgress });
  } finally {
    line.end();
  }
}

/** @param last how far it was */
function report(result: Result, { name, json }: Target, last: Progress | undefined): number {
  switch (result.outcome) {
    case 'committed':
      if (json) printJson(result);
      else process.stdout.write(receiptText(result.receipt));
      return RESTART_EXIT.committed;
    case 'rolled':
      if (json) printJson(result);
      else process.stdout.write(rollText(result.receipt));
      return RESTART_EXIT.committed;
    case 'failed':
    case 'rolledback':
      if (json) printJson(result);
      process.stderr.write(failureText(result, last));
      return RESTART_EXIT[result.outcome];
    case 'busy':
      if (json) printJson(result);
      process.stderr.write(busyText(result, name));
      return RESTART_EXIT.busy;
    default:
      return otherAnswer('restart', result, json);
  }
}

function receiptText({ pid, generation, predecessor, ...receipt }: Receipt): string {
  const { inherited, bound, closed } = receipt.listeners;
  const { memory } = receipt;
  return `${[
    `generation ${generation}, process ${pid}, has taken over from generation ${predecessor.generation}, process ${predecessor.pid}`,
    `ready ${formatMs(receipt.startToReadyMs)} after its start, alone ${formatMs(receipt.readyToStoppedMs)} later`,
    `sockets: ${named('inherited', inherited)}${named(', bound', bound)}${named(', closed', closed)}`,
    `memory: ${formatBytes(memory.predecessor)} before, ${memory.successor === undefined ? 'unknown' : formatBytes(memory.successor)} now`,
  ].join('\n')}\n`;
}

function rollText({ replaced, ms }: RollReceipt): string {
  const rows = replaced.map(({ worker, pid, predecessor, startToReadyMs }) => [
    String(worker),
    String(pid),
    predecessor === 0 ? undefined : String(predecessor),
    formatMs(startToReadyMs),
  ]);
  const table = formatTable(['WORKER', 'PID', 'BEFORE', 'READY AFTER'], rows);
  return `${replaced.length} workers were replaced in ${formatMs(ms)}\n${table}`;
}

function named(what: string, names: readonly string[]): string {
  if (names.length > 0) return `${what} ${names.join(' ')}`;
  return what === 'inherited' ? 'none inherited' : '';
}

function failureText({ outcome, code, reason, stderr }: Failure, last: Progress | undefined): string {
  const serves =
    last?.total === undefined
      ? `the old process ${outcome === 'failed' ? 'serves on' : 'serves again'}`
      : rest(last);
  const who = code === 'ERR_FDPASS_CLOSED' ? 'the service has been stopped' : serves;
  const tail = stderr.trim() === '' ? '' : `--- the end of its stderr ---\n${stderr.trimEnd()}\n`;
  return `fdpass restart: ${reason} (${code}); ${who}\n${tail}`;
}

function rest({ done, total }: Progress): string {
  return `the roll has stopped: ${done} of ${total} workers are new, the others serve on`;
}

function busyText({ pid, state, ageMs, done, total }: Progress, name = 'NAME'): string {
  const age = `for ${formatMs(ageMs)}`;
  if (total !== undefined)
    return `fdpass restart: a roll is under way, ${age}: ${done} of ${total} workers are new; try again, or: fdpass abort ${name}\n`;
  if (state === 'booting') return `fdpass restart: process ${pid} is not ready itself, ${age}; try again\n`;
  if (state === 'probation')
    return `fdpass restart: process ${pid} has taken over and is on probation, ${age}; try again, or: fdpass abort ${name}\n`;
  return `fdpass restart: another upgrade is in progress: process ${pid}, state ${state}, ${age}\n`;
}
