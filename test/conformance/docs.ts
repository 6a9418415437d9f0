// docs/conformance.md, made of the table and of what the test files register.
import path from 'node:path';
import { collect, type Registered } from './row';
import { type Case, cases, sections } from './table';

export const COMMAND = 'npm run conformance -- --docs';

/** A file is loaded once only. */
const known = new Map<string, Registered[]>();

/** What the file of a section registers; nothing is run. */
export function registeredBy(section: string): Registered[] {
  const registered = known.get(section) ?? collect(() => require(path.join(__dirname, `${section}.test.js`)));
  known.set(section, registered);
  return registered;
}

export function conformanceDocs(): string {
  const bySection = new Map(sections.map((section) => [section, registeredBy(section)]));
  const all = [...bySection.values()].flat();
  const left = all.filter(({ reason }) => reason !== undefined);
  const parts = sections.map((section) => sectionDocs(section, bySection.get(section) ?? []));
  return `# AF_UNIX conformance

<!-- Made by \`${COMMAND}\`; do not edit. -->

What an AF_UNIX socket of Linux does, collected from the test suites and bug reports of other kernels, languages and
libraries, and what fdpass makes of it. Each row is one test; ${all.length - left.length} of ${all.length} are run, ${left.length} cannot be expressed by this API.

\`npm run conformance\` runs them: as the current user and, for root, once more as a user without rights. Some need what
not every machine has (root, a newer kernel, a configuration of it): there they are skipped, and the summary says why.
[cases.md](../test/conformance/cases.md) has the source of each row.

**Through** names the classes by which a row is shown: \`RawSocket\` of \`fdpass/raw\` where it speaks of the system call
itself, the others are the everyday API.

${parts.join('\n')}`;
}

function sectionDocs(section: string, registered: Registered[]): string {
  const rows = cases.filter((one) => one.section === section);
  return `## ${section}

\`test/conformance/${section}.test.ts\`

| id | what is done | what must be observed | through |
|---|---|---|---|
${rows.map((one) => rowDocs(one, registered)).join('\n')}
`;
}

function rowDocs({ id, done, observed, needs }: Case, registered: Registered[]): string {
  const found = registered.find((one) => one.id === id);
  const through = found?.reason === undefined ? found?.through.join(', ') : `not applicable: ${found.reason}`;
  const condition = needs === '' ? '' : ` (needs ${needs})`;
  return `| ${id} | ${escaped(done)} | ${escaped(observed)} | ${through}${escaped(condition)} |`;
}

// What HTML would take for a tag.
function escaped(cell: string): string {
  return cell.replaceAll('<', '&lt;');
}
