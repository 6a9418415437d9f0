// Runs the cases: in each, round after round, the contenders one after the other.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { chooseCores, pinned } from './cores.mjs';
import { withDatagramQueue } from './datagram-queue.mjs';
import { evaluate } from './metrics.mjs';
import { benchRoot } from './place.mjs';
import { lengthMs } from './plan.mjs';
import { runOnce } from './run.mjs';

/**
 * @param byName every contender that can run, for cases in which one side is somebody else's
 * @param progress told about each run
 * @param signal ends it, with its reason; the processes of the run at hand are ended, too
 * @returns for each case the rounds of each contender
 */
export async function runPlan(plan, byName, { progress, signal }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'fdpass-bench-'));
  const results = [];
  try {
    for (const one of plan) {
      const parts = one.parts.map((part) => ({ ...part, rounds: [], failures: [] }));
      for (let round = 0; round < one.rounds; round++) {
        for (const part of parts) {
          const address = path.join(folder, `${results.length}-${round}-${part.contender.name}`);
          await runPart(one, part, { byName, address, signal });
          signal.throwIfAborted();
          progress.ran(one, part);
        }
      }
      results.push({ ...one, parts });
      progress.end(results.at(-1));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

async function runPart(one, part, { byName, address, signal }) {
  try {
    const reports = await runOnce({
      commands: commands(one, part, byName),
      deadlineMs: lengthMs(one),
      address,
      signal,
    });
    part.rounds.push(evaluate(one, part.kind, reports));
  } catch (error) {
    part.rounds.push(null);
    part.failures.push(error.message);
  }
}

function commands(one, { contender, kind }, byName) {
  const cores = chooseCores(one.cores);
  const command = (role) => {
    const other = one.by?.[role];
    if (other !== undefined && !byName.has(other))
      throw new Error(`its ${role} is ${other}, which is missing`);
    const { program } = byName.get(other) ?? contender;
    const link = {
      role,
      pattern: one.pattern,
      kind,
      fds: 0,
      sockets: 1,
      window: 64,
      directory: benchRoot,
      ...(cores.receiver === undefined ? {} : { receiverCpu: cores.receiver }),
      ...one.link,
    };
    const words = Object.entries(link).map(([key, value]) => `${key}=${value}`);
    const queue = role === 'receiver' && kind === 'dgram' ? one.datagramQueue : undefined;
    return pinned(cores[role], withDatagramQueue(queue, [...program.command, ...words]));
  };
  return { sender: command('sender'), receiver: one.alone ? undefined : receiver(contender, command) };
}

function receiver(contender, command) {
  return contender.senderStartsReceiver ? 'started by the sender' : command('receiver');
}
