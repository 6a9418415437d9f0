// Every contender there is: what the files of bench/contenders export, each with the program that plays it.
import { filesBelow } from '../../scripts/lib/files.mjs';
import { fromBench } from './place.mjs';
import { nodeProgram } from './programs.mjs';

/** The first ones of the table, in this order; the others follow. */
const kFirst = ['c', 'c-again', 'c-blocking', 'c-batched', 'c-sndbuf', 'c-tcp', 'fdpass'];

export async function loadContenders() {
  const found = [];
  for (const file of filesBelow(fromBench('contenders'), ['.mjs'])) {
    const { contenders } = await import(file);
    for (const one of contenders) {
      found.push({ program: nodeProgram(file, one.name), isNode: one.program === undefined, ...one });
    }
  }
  const rank = ({ name }) => (kFirst.includes(name) ? kFirst.indexOf(name) : kFirst.length);
  return found.sort((left, right) => rank(left) - rank(right));
}

/** The kind of socket by which a contender takes part in a case: the first of the case's that it knows. */
export function kindFor(contender, { pattern, kinds, link, by = {}, nodeOnly = false }) {
  const stranger = Object.keys(by)[0];
  if (stranger !== undefined && (contender.onlyWithItself || contender.differsAs === stranger))
    return undefined;
  if (nodeOnly && !contender.isNode) return undefined;
  if (contender.not?.({ fds: 0, size: 0, ...link })) return undefined;
  return kinds.find((kind) => contender.does[pattern]?.includes(kind));
}
