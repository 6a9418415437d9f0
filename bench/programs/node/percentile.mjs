// The value below which a share `q` of the values lies; null of none.

export function percentile(values, q) {
  if (values.length === 0) return null;
  return Float64Array.from(values).sort()[Math.floor((values.length - 1) * q)];
}
