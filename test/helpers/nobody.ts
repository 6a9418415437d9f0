// What differs for a user without privileges.
const NOBODY = 65_534;

/** Only root can become somebody else. */
export const isRoot = process.getuid?.() === 0;

/** For good; files that are loaded later must be readable for everybody. */
export function becomeNobody(): void {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}
