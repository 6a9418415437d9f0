// fdpass restart: a service replaces itself by a new process of the same program.
import { ask } from '../handoff/ask';
import type { Failure, Result } from '../handoff/command';
import type { Busy } from '../handoff/payloads';
import type { Receipt } from '../handoff/receipt';
import type { Command } from './command';
import { otherAnswer, printJson } from './failure';
import { ProgressLine } from './progress';
import { parseTarget, TARGET_HELP, type Target } from './target';
import { formatBytes, formatMs } from './units';

const RESTART_EXIT = { committed: 0, failed: 1, rolledback: 2, busy: 3 } as const;

export const restart: Command = {
  acts: true,
  help: `Replace a service by a new process of the same program, without losing a request.

  fdpass restart NAME [--json] [--timeout MS] [--address AT]

${TARGET_HELP}
  --json         for scripts: one object on stdout, { outcome, ... }; see below
  --timeout MS   stop waiting after so many milliseconds; default: as long as the upgrade takes
  --help         this text

  fdpass restart shop    # deploy first: this starts the program that is on the disk now

The running process does it, as by handoff.upgrade(): it starts its own command line once more and hands its sockets
over. If the new process fails, the old one goes on. The command only watches: stderr has a line for each state, stdout
the receipt. To close it (Ctrl-C, --timeout) does not abort the upgrade; 'fdpass abort NAME' does.

Exit code, and "outcome" of --json:
  0   committed   the new process owns the service; { receipt }
  1   failed      the old one serves; { code, reason, stderr, exitCode, signal } (stderr: the end of the new one's)
  1   refused     it is another service, or too old for this; { reason }
  1   unknown     nobody answers, or the answer is still out; { code, reason }
  2   rolledback  the new one served and was no good, the old one serves again; as failed
  3   busy        another upgrade is in progress; { pid, state, ageMs }
  64              the command line is wrong
`,
  async run(args) {
    const target = parseTarget(args);
    return report(await watch(target), target);
  },
};

async function watch({ name, address, timeoutMs }: Target): Promise<Result> {
  const line = new ProgressLine(process.stderr);
  const onProgress = (progress: Busy): void => line.show(progress);
  try {
    return await ask({ address, command: 'restart', name, timeoutMs, onProgress });
  } finally {
    line.end();
  }
}

function report(result: Result, { name, json }: Target): number {
  switch (result.outcome) {
    case 'committed':
      if (json) printJson(result);
      else process.stdout.write(receiptText(result.receipt));
      return RESTART_EXIT.committed;
    case 'failed':
    case 'rolledback':
      if (json) printJson(result);
      process.stderr.write(failureText(result));
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

function named(what: string, names: readonly string[]): string {
  if (names.length > 0) return `${what} ${names.join(' ')}`;
  return what === 'inherited' ? 'none inherited' : '';
}

function failureText({ outcome, code, reason, stderr }: Failure): string {
  const serves = outcome === 'failed' ? 'the old process serves on' : 'the old process serves again';
  const who = code === 'ERR_FDPASS_CLOSED' ? 'the service has been stopped' : serves;
  const tail = stderr.trim() === '' ? '' : `--- the end of its stderr ---\n${stderr.trimEnd()}\n`;
  return `fdpass restart: ${reason} (${code}); ${who}\n${tail}`;
}

function busyText({ pid, state, ageMs }: Busy, name = 'NAME'): string {
  const age = `for ${formatMs(ageMs)}`;
  if (state === 'booting') return `fdpass restart: process ${pid} is not ready itself, ${age}; try again\n`;
  if (state === 'probation')
    return `fdpass restart: process ${pid} has taken over and is on probation, ${age}; try again, or: fdpass abort ${name}\n`;
  return `fdpass restart: another upgrade is in progress: process ${pid}, state ${state}, ${age}\n`;
}
