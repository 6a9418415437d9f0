// SocketFile: the file that bind(2) made. Its owner and mode, whether it is still the one, its removal.
import {
  chmodSync,
  chownSync,
  closeSync,
  constants as fs,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import { constants } from 'node:os';
import { systemError } from '../base/errors';
import { binding } from '../native/binding';
import { requireAccessChange } from './permission';

/** open(2); include/uapi/asm-generic/fcntl.h. A handle on the file itself; a socket cannot be opened otherwise. */
const O_PATH = 0o10000000;

/** bind(2) makes files with what the umask leaves of this. */
const ALL_PERMISSIONS = 0o777;

/** Who may connect: write permission is what counts. unix(7) */
export interface Access {
  /** Undefined: what the umask leaves of 0777. */
  mode: number | undefined;
  /** Undefined: nobody but this process. -1: unchanged. */
  owner: { uid: number; gid: number } | undefined;
}

/** False if all is to be as bind(2) makes it. */
export function asksForAccess({ mode, owner }: Access): boolean {
  return mode !== undefined || owner !== undefined;
}

/** The mode to be born with: never wider than it is to be, and nobody's while it has the wrong owner. */
export function birthMode({ mode, owner }: Access): number {
  return owner === undefined ? (mode ?? ALL_PERMISSIONS) : 0;
}

/**
 * A socket file by path and identity. The number of an inode is given out again at once on some file
 * systems, but not while the socket that was bound to it is open: use it while it is.
 */
export class SocketFile {
  #path: Buffer;
  readonly #device: bigint;
  readonly #inode: bigint;

  private constructor(path: Buffer, device: bigint, inode: bigint) {
    this.#path = path;
    this.#device = device;
    this.#inode = inode;
  }

  /** Undefined where there is no socket file, or none that this process may see. */
  static at(path: Buffer): SocketFile | undefined {
    try {
      const status = lstatSync(path, { bigint: true });
      return status.isSocket() ? new SocketFile(path, status.dev, status.ino) : undefined;
    } catch {
      return undefined;
    }
  }

  /** False once something else, or nothing, has the name. */
  isThere(): boolean {
    const now = SocketFile.at(this.#path);
    return now !== undefined && this.#is(now.#device, now.#inode);
  }

  /**
   * Sets owner and mode on this file, also if somebody puts a symbolic link in its place meanwhile.
   * @throws ENOENT if the name is something else's; ERR_FDPASS_PERMISSION; what chown(2) and chmod(2) throw
   */
  setAccess(access: Access): void {
    if (!asksForAccess(access)) return;
    const { mode, owner } = access;
    const file = openSync(this.#path, O_PATH | fs.O_NOFOLLOW);
    try {
      const { device, inode, mode: now } = binding.describe(file);
      if (!this.#is(device, inode)) throw systemError(-constants.errno.ENOENT, 'open');
      if (owner === undefined && (now & ALL_PERMISSIONS) === mode) return; // born with it
      requireAccessChange(this.#path, file);
      const self = `/proc/self/fd/${file}`; // fchmod(2) and fchown(2) refuse an O_PATH descriptor
      if (owner !== undefined) chownSync(self, owner.uid, owner.gid);
      chmodSync(self, mode ?? ALL_PERMISSIONS & ~umask());
    } finally {
      closeSync(file); // not by an Fd: Deno's fs keeps a list of its numbers, and closes the next one with this number
    }
  }

  /** Takes the name `to` over from whatever has it, atomically. rename(2) */
  rename(to: Buffer): void {
    renameSync(this.#path, to);
    this.#path = to;
  }

  /** Removes the file if it is still this one. Nobody else may be deciding about the name: hold its PathLock. */
  remove(): void {
    if (this.isThere()) unlinkSync(this.#path);
  }

  #is(device: bigint, inode: bigint): boolean {
    return device === this.#device && inode === this.#inode;
  }
}

// process.umask() sets the mask in order to read it: not in one of several threads. proc_pid_status(5)
function umask(): number {
  const text = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  return Number.parseInt(text ?? '777', 8);
}
