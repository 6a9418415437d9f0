// Which runtime this is: Node, or one that imitates it.

const { bun, deno, node } = process.versions;

/** With its version, for people: 'Bun 1.4.5'. Nothing else is decided by it than what would abort the process. */
export const runtimeName: string = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;

/** Of libuv's uv_poll_t Bun has none (it aborts), and Deno one that reports once. */
export const hasUvPoll: boolean = !bun && !deno;
