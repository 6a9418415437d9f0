// Which worker gets a connection. Pure, without allocation: asked for every connection.

/** The workers, by index. `full`: it takes nothing now. */
export interface Board {
  readonly workers: readonly number[];
  readonly loads: readonly number[];
  readonly full: readonly boolean[];
}

/** -1: all are full. @param hash of what the connection is told by */
export type Choose = (board: Board, hash: number) => number;

/** The one with the fewest connections; of equals, the next one in turn. */
export function leastLoaded(): Choose {
  let last = -1;
  return ({ loads, full }) => {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let step = 1; step <= loads.length; step++) {
      const index = (last + step) % loads.length;
      const load = loads[index] as number;
      if (full[index] || load >= least) continue;
      best = index;
      least = load;
    }
    if (best !== -1) last = best;
    return best;
  };
}

/**
 * Rendezvous hashing: the worker whose number makes the highest hash with that of the key. When a worker is gone its keys alone move, evenly
 * to the others; when one comes it takes its share from each. Thaler and Ravishankar, 1998
 */
export const highestHash: Choose = ({ workers, full }, hash) => {
  let best = -1;
  let highest = -1;
  for (let index = 0; index < workers.length; index++) {
    const score = mix(hash ^ Math.imul(workers[index] as number, GOLDEN_RATIO));
    if (full[index] || score <= highest) continue;
    best = index;
    highest = score;
  }
  return best;
};

/** FNV-1a over the code units. The same in every process and release: a new primary sends clients where the old one did. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return mix(hash);
}

/** 2 ** 32 divided by the golden ratio. */
const GOLDEN_RATIO = 0x9e3779b1;

/** fmix32 of MurmurHash3: every bit of the result depends on every bit given. 0 to 2 ** 32 - 1 */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
