// The arithmetic over rounds: medians, ratios to C (or what the case names) in the same round, spread, noise. Reads the JSON that a run writes.
import { metrics } from './metrics.mjs';
import { kBaseline } from './plan.mjs';

/** The second run of the very same thing. */
const kNoise = 'c-again';

export function median(values) {
  const sorted = values.filter((value) => value !== null && value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A case of the JSON, with a row of figures for each contender. */
export function summarize(one) {
  const base = one.baseline ?? kBaseline;
  const baseline = one.results.find(({ contender }) => contender === base.name);
  const rows = one.results.map((result) => row(result, baseline));
  const noise = rows.find(({ contender }) => contender === kNoise)?.ratio ?? null;
  return { ...one, baseline: base, ...pick(metrics[one.metric]), rows, noise };
}

/** A figure of one contender over its rounds, as it is. */
export function figuresOf({ results }, contender) {
  const rounds = results.find((result) => result.contender === contender)?.rounds ?? [];
  const values = rounds.map((round) => round?.value).filter(Number.isFinite);
  return values.length === 0 ? null : { median: median(values), ...spread(values) };
}

/** The figure of one contender divided by that of another in the same round; null where one of them did not run. */
export function compare({ results }, contender, to) {
  const of = (name) => results.find((result) => result.contender === name)?.rounds ?? [];
  const others = of(to);
  const ratios = of(contender)
    .map((round, i) => ratio(round?.value, others[i]?.value))
    .filter(Number.isFinite);
  return ratios.length === 0 ? null : { median: median(ratios), ...spread(ratios) };
}

function row({ rounds, ...result }, baseline) {
  const ran = rounds.filter((round) => round !== null);
  const over = (key) => median(ran.map((round) => round[key]));
  const ratios = rounds
    .map((round, i) => ratio(round?.value, baseline?.rounds[i]?.value))
    .filter(Number.isFinite);
  const cpuRatios = rounds
    .map((round, i) => ratio(cpu(round), cpu(baseline?.rounds[i])))
    .filter(Number.isFinite);
  return {
    ...result,
    ran: ran.length,
    value: over('value'),
    values: spread(ran.map(({ value }) => value).filter((value) => value !== null)),
    p99Us: over('p99Us'),
    senderCpuUs: over('senderCpuUs'),
    receiverCpuUs: over('receiverCpuUs'),
    cpuRatio: median(cpuRatios),
    lost: ran.reduce((sum, { lost }) => sum + lost, 0),
    ratio: ratios.length === 0 ? null : { median: median(ratios), ...spread(ratios) },
  };
}

/** Of both sides. */
function cpu(round) {
  return round?.senderCpuUs && round.receiverCpuUs ? round.senderCpuUs + round.receiverCpuUs : null;
}

function ratio(value, base) {
  return value === null || value === undefined || !base ? Number.NaN : value / base;
}

function spread(values) {
  return values.length === 0 ? null : { min: Math.min(...values), max: Math.max(...values) };
}

function pick({ unit, better }) {
  return { unit, better };
}
