// jsonOf(): what is told of processes as JSON, with milliseconds to a tenth: more would be noise. Pure.

/** @param indent spaces for each level; default: one line */
export function jsonOf(value: object, indent?: number): string {
  return JSON.stringify(value, (name, one: unknown) => (isMs(name) ? tenths(one) : one), indent);
}

/** 'ageMs', 'ms' */
function isMs(name: string): boolean {
  return /(^m|M)s$/.test(name);
}

function tenths(value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value * 10) / 10 : value;
}
