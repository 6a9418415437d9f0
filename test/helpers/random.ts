// A seeded pseudo-random source, so that a failing random test fails again. mulberry32

export interface Random {
  /** 0 <= result < 1 */
  next(): number;
  /** An integer, 0 <= result < limit. */
  below(limit: number): number;
  bytes(length: number): Buffer;
}

export function seeded(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))) };
}
