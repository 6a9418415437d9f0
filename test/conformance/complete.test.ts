// The suite is whole: every row of the table is run or has its reason, and the documentation says the same.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import * as fdpass from 'fdpass';
import * as raw from 'fdpass/raw';
import { COMMAND, conformanceDocs, registeredBy } from './docs';
import { cases, root, sections } from './table';

/** Rows that an API may leave out, of all. */
const MAX_NOT_APPLICABLE = 0.1;

const registered = sections.flatMap((section) => registeredBy(section).map((one) => ({ ...one, section })));

test('no row has the id of another', () => {
  assert.equal(new Set(cases.map(({ id }) => id)).size, cases.length);
});

for (const section of sections) {
  test(`${section}.test.ts has every row of its section and no other`, () => {
    const ids = registered.filter((one) => one.section === section).map(({ id }) => id);
    const wanted = cases.filter((one) => one.section === section).map(({ id }) => id);
    assert.deepEqual(ids.sort(), wanted.sort());
  });
}

test('at most a tenth of the rows is not applicable', () => {
  const left = registered.filter(({ reason }) => reason !== undefined);
  assert.ok(left.length <= MAX_NOT_APPLICABLE * cases.length, `${left.length}`);
});

test('rows are shown through what the package exports', () => {
  const exports = new Set([...Object.keys(fdpass), ...Object.keys(raw)]);
  for (const { id, through } of registered) {
    for (const name of through) assert.ok(exports.has(name), `${id}: nobody exports ${name}`);
  }
});

test('docs/conformance.md is what the table and the rows make', () => {
  const file = readFileSync(path.join(root, 'docs', 'conformance.md'), 'utf8');
  assert.ok(file === conformanceDocs(), `docs/conformance.md is not up to date; make it by: ${COMMAND}`);
});
