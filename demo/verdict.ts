/** Owns the judgement of a run with fdpass: what must hold, and for each thing that does not, where to look. */
import type { RunResult } from './course';

export interface Fault {
  readonly what: string;
  readonly lookAt: string;
}

export function judge(run: RunResult): Fault[] {
  return [...judgeRequests(run), ...judgeRestarts(run), ...judgeCrash(run), ...judgeExits(run)];
}

function judgeRequests({ load, generations }: RunResult): Fault[] {
  const faults: Fault[] = [];
  if (load.failed > 0) {
    const texts = load.errors.map(({ text, times }) => `${times} x ${text}`).join('; ');
    faults.push({
      what: `${load.failed} of ${load.requests} requests failed: ${texts}`,
      lookAt:
        'ECONNREFUSED: a moment without a listener; ECONNRESET: the drain closed a connection in use (src/ts/handoff)',
    });
  }
  const silent = generations.filter((generation) => !load.perGeneration[generation]);
  if (silent.length > 0) {
    faults.push({
      what: `generation ${silent.join(', ')} answered no request`,
      lookAt: 'is it in the accept queue at all? compare the listener of both processes with: ss -ltnp',
    });
  }
  return faults;
}

function judgeRestarts({ stoppedBy, restarts, wanted }: RunResult): Fault[] {
  if (stoppedBy === null && restarts.length === wanted) return [];
  return [
    {
      what: `${restarts.length} of ${wanted} restarts happened: ${stoppedBy ?? 'no reason known'}`,
      lookAt: 'the code of the error names the step of the handoff; the last lines of stderr are above',
    },
  ];
}

function judgeCrash({ crash, stoppedBy }: RunResult): Fault[] {
  // A run that stopped before the middle never came to it, and has its fault already.
  if (crash === null && stoppedBy !== null) return [];
  const faults: Fault[] = [];
  if (!crash?.servedOn) {
    faults.push({
      what: 'the old server did not outlive a crashing successor',
      lookAt: 'upgrade() and what it does on EOF',
    });
  }
  if (crash && !crash.stderr.includes('DEMO_CRASH')) {
    faults.push({
      what: `the error of the crash (${crash.code}) does not carry the stderr of the successor`,
      lookAt: 'how upgrade() keeps the tail of stderr',
    });
  }
  return faults;
}

function judgeExits({ exits }: RunResult): Fault[] {
  return exits
    .filter(({ code }) => code !== 0)
    .map(({ pid, code }) => ({
      what:
        code === null
          ? `process ${pid} did not drain, or was ended by a signal`
          : `process ${pid} exited with code ${code}`,
      lookAt: 'an error: its stderr; no end: what keeps it, a connection (ss -tnp), a timer, a listener',
    }));
}
