// Names of users.
import { readFileSync } from 'node:fs';

/** @returns the name of a user id in /etc/passwd, else the number. Directories such as LDAP are not asked. */
export function userNames(): (uid: number) => string {
  const names = new Map<number, string>();
  for (const line of readPasswords().split('\n')) {
    const [name = '', , uid] = line.split(':');
    if (uid !== undefined && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return (uid) => names.get(uid) ?? String(uid);
}

function readPasswords(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return ''; // an image without users
  }
}
