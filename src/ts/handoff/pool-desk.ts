// PoolDesk: what a pool answers to the commands that only a pool knows.
import type { ControlChannel } from './channel';
import type { Result } from './command';
import { LogFeed } from './log-feed';
import { type PoolHooks, readLogQuery, readScale, type ScaleRequest } from './pool-commands';
import type { PoolStatus } from './pool-status';
import type { ProcessSeam } from './process';

type Payload = Record<string, unknown>;

/** In one frame, each with the reason of its last end. */
const WORKERS_PER_FRAME = 16;

const NO_LOGS =
  "its workers print where the process that holds the pool does, and it keeps nothing of that: see output: 'event' of createPool()";

/** Whoever waits hears from this process at least so often. */
export const BEAT_MS = 1_000;

export async function scalePool(pool: PoolHooks, payload: Payload): Promise<Result> {
  const { size: from } = pool.status();
  const to = sizeOf(readScale(payload), from);
  if (to !== 'max' && to < 1) {
    return { outcome: 'refused', reason: `a pool has at least one worker, and this one has ${from} now` };
  }
  return { outcome: 'scaled', from, to: await pool.scale(to) };
}

function sizeOf(request: ScaleRequest, now: number): number | 'max' {
  return 'to' in request ? request.to : now + request.by;
}

/** @param gone aborts when whoever asks has gone */
export async function sendLogs(
  pool: PoolHooks,
  payload: Payload,
  { channel, seam, gone }: { channel: ControlChannel; seam: ProcessSeam; gone: AbortSignal },
): Promise<Result> {
  const { logs } = pool;
  if (logs === undefined) return { outcome: 'refused', reason: NO_LOGS };
  const query = readLogQuery(payload);
  const recent = logs.recent(query);
  const { worker, follow } = query;
  const isThere = pool.status().workers.some((one) => one.worker === worker);
  if (worker !== undefined && !isThere && !follow && recent.length === 0)
    return { outcome: 'refused', reason: `the pool has no worker ${worker}` };
  const feed = new LogFeed((frame) => channel.deliver('PROGRESS', frame));
  for (const line of recent) feed.push(line, { kept: true });
  if (!follow) {
    await feed.flush();
    return { outcome: 'logs' };
  }
  channel.unref(); // a reader keeps no pool
  const end = logs.follow((line) => {
    if (worker === undefined || worker === line.worker) feed.push(line);
  });
  const stopBeat = repeat(seam, () => feed.beat());
  await new Promise<void>((resolve) => {
    if (gone.aborted) resolve();
    else gone.addEventListener('abort', () => resolve(), { once: true });
  });
  stopBeat();
  end();
  return { outcome: 'logs' };
}

/** The workers go ahead, and the listeners have. @returns the rest */
export function sendPool(status: PoolStatus, channel: ControlChannel): PoolStatus {
  const { workers } = status;
  for (let at = 0; at < workers.length; at += WORKERS_PER_FRAME)
    channel.send('PROGRESS', { workers: workers.slice(at, at + WORKERS_PER_FRAME) });
  return { ...status, listeners: [], workers: [] };
}

/** Now and each BEAT_MS. @returns ends it */
export function repeat(seam: ProcessSeam, tell: () => void): () => void {
  let stop = (): void => {};
  const beat = (): void => {
    tell();
    stop = seam.setTimer(BEAT_MS, beat);
  };
  beat();
  return () => stop();
}
