// How figures are written, in the terminal and in the docs.

/** Three digits that mean something. */
export function figure(value) {
  if (value === null || value === undefined) return '-';
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

export function range(spread) {
  return spread === null || spread === undefined ? '-' : `${figure(spread.min)}..${figure(spread.max)}`;
}

/** The head of the table for what summarize() gives. */
export function columns({ baseline: { title } }) {
  return [
    'contender',
    'median',
    'min..max',
    `x ${title}`,
    `x ${title} min..max`,
    'p99 us',
    'CPU us out',
    'CPU us in',
    `CPU x ${title}`,
    'lost',
  ];
}

/** One row of a table for one row of summarize(). */
export function cells(row) {
  if (row.ran === 0) return [row.title, 'failed', '', '', '', '', '', '', '', ''];
  return [
    row.title,
    figure(row.value),
    range(row.values),
    figure(row.ratio?.median),
    range(row.ratio),
    figure(row.p99Us),
    figure(row.senderCpuUs),
    figure(row.receiverCpuUs),
    figure(row.cpuRatio),
    row.lost === 0 ? '' : row.lost.toLocaleString('en-US'),
  ];
}

/** What a case's figures are, and what they can be trusted to. */
export function caption({ unit, better, cores, rounds, datagramQueue, noise }) {
  const where = { same: 'on one core', two: 'on two cores', any: 'not pinned' }[cores];
  const noisy = noise === null ? '' : `; noise (C against C) ${range(noise)}`;
  const queue = datagramQueue === undefined ? '' : `, datagram queue ${datagramQueue}`;
  return `figures in ${unit}, ${better} is better, ${where}${queue}, ${rounds} round${rounds === 1 ? '' : 's'}${noisy}`;
}

/** Why some rounds have no figures. */
export function remarks({ rows }) {
  return rows
    .filter(({ failures }) => failures.length > 0)
    .map(({ title, failures }) => `${title}: ${failures.length} failed: ${failures[0]}`);
}
