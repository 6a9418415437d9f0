// What Node's permission model says of a socket file: asked before bind(2), which the addon does behind Node's back.
import { FdpassError } from '../base/errors';
import { printable } from '../fd/address';
import { isPermitted, type Scope } from '../native/permission';
import { PathLock } from './path-lock';

const SCOPES: readonly Scope[] = ['fs.read', 'fs.write'];

/** Where an open file of this process is to be had by a path. proc_pid_fd(5) */
const OWN_FDS = '/proc/self/fd/';

/** The file and its lock are made, looked at and removed. @throws ERR_FDPASS_PERMISSION, which names the flags */
export function requirePermission(path: Buffer): void {
  const files = [path, PathLock.pathFor(path)].map(String);
  const missing = SCOPES.filter((scope) => files.some((file) => !isPermitted(scope, file)));
  if (missing.length === 0) return;
  const folder = printable(path.subarray(0, path.lastIndexOf('/') + 1));
  throw refused(`make ${printable(path)}`, missing, folder);
}

/** Of an open file. @throws ERR_FDPASS_PERMISSION, which names the flag */
export function requireAccessChange(path: Buffer, file: number): void {
  if (isPermitted('fs.write', `${OWN_FDS}${file}`)) return;
  throw refused(`give ${printable(path)} an owner, or a mode that the umask narrows`, ['fs.write'], OWN_FDS);
}

function refused(what: string, scopes: readonly Scope[], folder: string): FdpassError {
  const flags = scopes.map((scope) => `--allow-${scope.replace('.', '-')}=${folder}*`).join(' ');
  const text = `fdpass may not ${what} under Node's permission model. Start Node with ${flags}`;
  return new FdpassError('ERR_FDPASS_PERMISSION', text);
}
