// row(): one row of cases.md as one test, which leaves the descriptors of its process as they were.
import test, { type TestContext } from 'node:test';
import { openDescriptors, settled } from './descriptors';
import { missing } from './needs';
import { caseOf } from './table';

type Clean = () => unknown;

/** What the body of a row is given. */
export class Row {
  readonly #context: TestContext;
  readonly #cleaning: Clean[] = [];
  #break = (_: Error): void => {};
  /** Rejects when something that the row relies on has broken, so that it does not wait in vain. */
  readonly broken = new Promise<never>((_, reject) => {
    this.#break = reject;
  });

  constructor(context: TestContext) {
    this.#context = context;
    this.broken.catch(() => {}); // perhaps nobody waits any more
  }

  /** Runs when the row ends, the last one first. */
  after(clean: Clean): void {
    this.#cleaning.push(clean);
  }

  /** Closes it when the row ends. close() of whatever has been closed already is harmless. */
  keep<T extends { close(): unknown }>(closable: T): T {
    this.after(async () => void (await closable.close()));
    return closable;
  }

  /** Ends the row as failed. */
  break(error: Error): void {
    this.#break(error);
  }

  /** Tells which part was not run, and why. */
  note(text: string): void {
    this.#context.diagnostic(text);
  }

  /** @internal */
  async clean(): Promise<void> {
    for (const clean of this.#cleaning.splice(0).reverse()) await clean();
  }
}

/** What is known of a row: the exports that it is run through, or why it is not run at all. */
export interface Registered {
  id: string;
  /** Names of what 'fdpass' and 'fdpass/raw' export. */
  through: readonly string[];
  reason?: string;
}

const registered: Registered[] = [];
let collecting = false;

/**
 * Runs a row of the table; its title comes from there, and its file is that of its section.
 * @param through names of the exports by which it is shown, such as 'UnixDatagram RawSocket'
 */
export function row(id: string, through: string, body: (t: Row) => void | Promise<void>): void {
  register({ id, through: through.split(' ') });
  if (collecting) return;
  const { done, needs } = caseOf(id);
  test(`${id} ${done}`, async (context) => {
    const reason = missing(needs);
    if (reason !== undefined) {
      context.skip(reason);
      return;
    }
    const before = openDescriptors();
    const t = new Row(context);
    try {
      await Promise.race([body(t), t.broken]);
    } finally {
      await t.clean();
    }
    await settled(before);
  });
}

/** A row that this API cannot express, with the reason. */
export function notApplicable(id: string, reason: string): void {
  register({ id, through: [], reason });
  if (!collecting) test(`${id} ${caseOf(id).done}`, { skip: `not applicable: ${reason}` }, () => {});
}

/** What the rows of a file would be: nothing is run. */
export function collect(load: () => void): Registered[] {
  collecting = true;
  const start = registered.length;
  try {
    load();
    return registered.slice(start);
  } finally {
    collecting = false;
  }
}

function register(one: Registered): void {
  caseOf(one.id);
  if (registered.some(({ id }) => id === one.id)) throw new Error(`row ${one.id} is there twice`);
  registered.push(one);
}
