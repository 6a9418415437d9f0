// What the outcome of a file means, given what is known: which failures are news, which are known, and which entries are
// out of date because their test no longer fails.

// `known` is the list of known.mjs. @returns { failed: [title], known: [{ title, reason }], stale: [title] }
export function judge(known, cell, file, { failed, problem }) {
  const entries = known.filter((entry) => entry.cells.includes(cell) && entry.file === file);
  const reasonOf = (title) => entries.find(({ titles }) => titles.includes(title))?.reason;
  const all = problem === undefined ? failed : [...failed, problem];
  const news = all.filter((title) => reasonOf(title) === undefined);
  const expected = all.filter((title) => reasonOf(title) !== undefined);
  // A file that broke off says nothing of the tests that it did not come to.
  const titles = problem === undefined ? entries.flatMap((entry) => entry.titles) : [];
  return {
    failed: news,
    known: expected.map((title) => ({ title, reason: reasonOf(title) })),
    stale: titles.filter((title) => !failed.includes(title)),
  };
}
