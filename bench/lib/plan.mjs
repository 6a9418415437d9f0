// What is to run: the chosen cases, who takes part in each, and for how long.
import { kindFor } from './contenders.mjs';
import { UsageError } from './options.mjs';

/** Ratios are to this one, of the same round, where the case names no other. */
export const kBaseline = { name: 'c', title: 'C' };

const kNormal = { warmMs: 200, runMs: 500 };
const kQuick = { warmMs: 40, runMs: 120, window: 16 };
/** For a contender of 100,000 messages a second: none is so slow on a quiet machine. */
const kMessagesPerMs = 100;

/** @returns for each case its entry in the table, with `link` complete and `parts`: who takes part, by which kind */
export function makePlan(cases, contenders, { names, contenders: wanted, quick, rounds, cores }) {
  return choose(cases, names)
    .map((one) => ({ baseline: kBaseline, ...one }))
    .map((one) => ({
      ...one,
      link: { ...(quick ? kQuick : kNormal), ...one.link, ...(quick ? one.quick : {}) },
      rounds: Math.min(rounds, one.rounds ?? rounds),
      cores: cores ?? one.cores,
      parts: contenders
        .filter(({ name }) => wanted === undefined || wanted.includes(name) || name === one.baseline.name)
        .map((contender) => ({ contender, kind: kindFor(contender, one) }))
        .filter(({ kind }) => kind !== undefined),
    }))
    .filter(({ parts }) => parts.length > 0);
}

/** A name that is a case's own, or the beginning of some. */
function choose(cases, names) {
  if (names.length === 0) return cases;
  const found = names.map((name) => {
    const exact = cases.filter((one) => one.name === name);
    return exact.length > 0 ? exact : cases.filter((one) => one.name.startsWith(name));
  });
  const unknown = names.find((_, i) => found[i].length === 0);
  if (unknown !== undefined) throw new UsageError(`no case is named '${unknown}'; --list tells their names`);
  return cases.filter((one) => found.some((some) => some.includes(one)));
}

/** Those who are measured, and those who play the other side for them. */
export function chooseContenders(cases, all, options) {
  const unknown = options.contenders?.find((one) => !all.some(({ name }) => name === one));
  if (unknown !== undefined)
    throw new UsageError(`no contender is named '${unknown}'; --list tells their names`);
  const names = new Set(
    makePlan(cases, all, options).flatMap(({ parts, by = {} }) => [
      ...parts.map(({ contender }) => contender.name),
      ...Object.values(by),
    ]),
  );
  return all.filter(({ name }) => names.has(name));
}

/** How long one run of a case may take by itself. */
export function lengthMs({ link }) {
  return link.messages === undefined ? link.warmMs + link.runMs : link.messages / kMessagesPerMs + 1000;
}
