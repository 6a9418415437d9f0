// Preloaded by `bun test`, which has no --expose-gc: the collector under the name that tests know.
globalThis.gc = () => Bun.gc(true);
