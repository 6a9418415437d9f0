// residentBytes(): what this process has in memory. A figure for people must never be what a service dies of.

/** Resident set size, in bytes. Never throws: without a free descriptor (Node reads a file) it is the highest that it has been. getrusage(2) */
export function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}
