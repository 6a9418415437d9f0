/** Owns the judgement of a run with fdpass: what must hold, and for each thing that does not, where to look. */
import type { RunResult } from './course';

export interface Fault {
  readonly what: string;
  readonly lookAt: string;
}

export function judge(run: RunResult): Fault[] {
  return [...judgeRequests(run), ...judgeRestarts(run), ...judgeBreaks(run), ...judgeExits(run)];
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

function judgeBreaks({ breaks, stoppedBy }: RunResult): Fault[] {
  // A run that stopped before the middle never came to it, and has its fault already.
  if (breaks.length < 2 && stoppedBy !== null) return [];
  const faults = breaks
    .filter(({ servedOn }) => !servedOn)
    .map(({ defect }) => ({
      what: `the old server did not outlive a successor that broke ${defect}`,
      lookAt: 'the two machines of the protocol, and what each does on EOF and NAK',
    }));
  for (const { defect, code, stderr } of breaks) {
    const fits =
      defect === 'while it boots' ? stderr.includes('DEMO_CRASH') : code === 'ERR_HANDOFF_ROLLED_BACK';
    if (fits) continue;
    faults.push({
      what: `the error of the successor that broke ${defect} (${code}) does not say so`,
      lookAt: 'upgrade(): how it keeps the tail of stderr, and which code it gives',
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
