// The targets beside what a run gave, as a table for the docs.
import { targets } from '../targets.mjs';
import { range } from './figures.mjs';
import { compare } from './summary.mjs';

/** @param cases of the JSON of a run */
export function targetTable(cases) {
  const rows = targets.flatMap((target) => {
    const one = cases.find(({ name }) => name === target.case);
    const ratio = one === undefined ? null : compare(one, target.contender, target.to);
    return ratio === null ? [] : [row(target, ratio)];
  });
  const head = ['case', 'who', 'beside', 'to reach', 'median', 'lowest..highest', ''];
  return [head, head.map(() => '---'), ...rows].map((texts) => `| ${texts.join(' | ')} |`).join('\n');
}

function row({ case: name, contender, to, atLeast, atMost }, ratio) {
  const reached = atLeast === undefined ? ratio.median <= atMost : ratio.median >= atLeast;
  const reach = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
  return [
    name,
    contender,
    to,
    reach,
    ratio.median.toFixed(2),
    range(ratio),
    reached ? 'reached' : '**missed**',
  ];
}
