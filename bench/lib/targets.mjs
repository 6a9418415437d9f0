// The targets beside what a run gave, as a table.
import { targets } from '../targets.mjs';
import { range } from './figures.mjs';
import { compare, figuresOf } from './summary.mjs';

export const kTargetColumns = ['case', 'who', 'beside', 'to reach', 'median', 'lowest..highest', ''];

/** @param cases of the JSON of a run; targets for who did not take part are left out */
export function targetRows(cases) {
  return targets.flatMap((target) => {
    const { contender, to } = target;
    const one = cases.find(({ name }) => name === target.case);
    const tookPart = (name) => one?.results.some((result) => result.contender === name);
    if (![contender, to ?? contender].every(tookPart)) return [];
    return [row(target, to === undefined ? figuresOf(one, contender) : compare(one, contender, to))];
  });
}

function row({ case: name, contender, to = '', atLeast, atMost, unit }, figures) {
  const reach = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  const aim = [name, contender, to, unit === undefined ? reach : `${reach} ${unit}`];
  if (figures === null) return [...aim, '-', '-', '**no figures**'];
  const reached = atLeast === undefined ? figures.median <= atMost : figures.median >= atLeast;
  return [...aim, figures.median.toFixed(2), range(figures), reached ? 'reached' : '**missed**'];
}
