// Times and sizes for people.

/** '0.4 s', '12 s', '3 min', '5 h', '2 d' */
export function formatMs(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** '48 MB', a million bytes each. */
export function formatBytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
