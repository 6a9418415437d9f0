// Loads the addon and types its exports. The only file that knows how the binary is found.
import { existsSync } from 'node:fs';
import path from 'node:path';
import nodeGypBuild from 'node-gyp-build';
import { isPermitted } from './permission';
import { hasUvPoll } from './runtime';

/** Opaque handles of the addon. */
export type WatcherHandle = { readonly watcher: unique symbol };
export type InboxHandle = { readonly inbox: unique symbol };

export interface RawDescription {
  mode: number;
  inode: bigint;
  device: bigint;
  domain: number;
  type: number;
  protocol: number;
  listening: number;
}

/** The caller owns `fds` and `pidFd`. */
export interface RawReceived {
  size: number;
  flags: number;
  sunPath: Buffer;
  fds: number[];
  pidFd?: number;
  credentials?: [pid: number, uid: number, gid: number];
  others: { level: number; type: number; data: Buffer }[];
}

export interface InetEndpoint {
  address: string;
  family: 'IPv4' | 'IPv6';
  port: number;
}

/**
 * Flat verbs over descriptors. Arguments are checked by the caller: one of a wrong type is a bug, and a TypeError.
 * `sunPath` is the image made by UnixAddress. Unless noted, a failing system call throws an Error with
 * code, errno (negative) and syscall.
 */
export interface Binding {
  duplicate(fd: number): number;
  closeFd(fd: number): void;
  /** The first `count`. */
  closeFds(fds: Int32Array, count: number): void;
  /**
   * Every number that this addon makes is closed with its environment, as is one given to ownFd(): a worker
   * thread that is terminated runs no JS any more. Until disownFd() or closeFd().
   */
  ownFd(fd: number): void;
  disownFd(fd: number): void;
  redirect(from: number, to: number): void;
  setMode(fd: number, mode: number): void;
  lockFile(path: Uint8Array): number;
  describe(fd: number): RawDescription;

  createMemfd(name: string): number;
  seal(fd: number): void;
  isSealed(fd: number): boolean;

  /** A child that has ended and was not waited for, or 0. It is left so. */
  peekEndedChild(): number;
  /** Waits for an ended child, which must not be one that libuv has started. False: it has not ended, or is none. */
  reapChild(pid: number): boolean;

  openSocket(type: number): number;
  openPair(type: number): [number, number];
  bind(fd: number, sunPath: Uint8Array): void;
  connect(fd: number, sunPath: Uint8Array): void;
  localUnixAddress(fd: number): Buffer;
  remoteUnixAddress(fd: number): Buffer;
  localInetAddress(fd: number): InetEndpoint;
  remoteInetAddress(fd: number): InetEndpoint;
  listen(fd: number, backlog: number): void;
  shutdown(fd: number, how: number): void;
  /** Fills `accepted` with descriptors; their number, or below zero an errno. */
  accept(fd: number, accepted: Int32Array): number;
  listenTcp(address: string, port: number, backlog: number, reusePort: boolean, ipv6Only: boolean): number;
  bindUdp(address: string, port: number, reusePort: boolean, ipv6Only: boolean): number;
  /**
   * New connections of the SO_REUSEPORT group of `fd` go to its sockets by chance, to each in its share; 0 is none. Places: the
   * order of listen(); a closed one's is taken by the last one.
   */
  shareReuseport(fd: number, shares: Uint32Array): void;
  setPassCredentials(fd: number, value: number): void;
  setPassPidFd(fd: number, value: number): void;
  setPassRights(fd: number, value: number): void;
  getSendBufferSize(fd: number): number;
  setSendBufferSize(fd: number, value: number): void;
  enableEndDetection(fd: number): void;
  peerCredentials(fd: number): [pid: number, uid: number, gid: number];
  peerGroups(fd: number): number[];
  peerPidFd(fd: number): number;

  /** To the connected peer: bytes sent, or below zero an errno. */
  send(fd: number, data: Uint8Array): number;
  /** The same to anyone, with attachments. `credentials` is [pid, uid, gid]. */
  sendTo(
    fd: number,
    data: Uint8Array,
    sunPath: Uint8Array | undefined,
    fds: Int32Array | undefined,
    credentials: Int32Array | undefined,
  ): number;
  /** The same for several buffers. `control` instead of fds and credentials. */
  sendVector(
    fd: number,
    buffers: readonly Uint8Array[],
    sunPath: Uint8Array | undefined,
    fds: Int32Array | undefined,
    credentials: Int32Array | undefined,
    control: Uint8Array | undefined,
    flags: number,
  ): number;
  /** The first `count` of `sizes`. Messages sent, or below zero an errno. */
  sendBatch(
    fd: number,
    packed: Uint8Array,
    sizes: Uint32Array,
    count: number,
    sunPath: Uint8Array | undefined,
  ): number;
  openInbox(
    slab: Uint8Array,
    slots: number,
    slotSize: number,
    records: Int32Array,
    names: Int32Array,
    fds: Int32Array,
    request: Int32Array,
  ): InboxHandle;
  /** Below zero an errno; else messages * 2, plus 1 if the end of the stream follows them. */
  receive(inbox: InboxHandle, pool: Uint8Array): number;

  receiveRaw(fd: number, buffers: readonly Uint8Array[], controlSize: number, flags: number): RawReceived;
  getOption(fd: number, level: number, name: number): number;
  setOption(fd: number, level: number, name: number, value: number): void;
  poll(fd: number, events: number): number;
  queuedBytes(fd: number): number;
  cookie(fd: number): bigint;

  openWatcher(fd: number, callback: (events: number) => void): WatcherHandle;
  startWatcher(watcher: WatcherHandle, events: number): void;
  stopWatcher(watcher: WatcherHandle): void;
  /** What the watcher keeps alive: the callback, and the event loop. At first the loop only. */
  keepWatcher(watcher: WatcherHandle, callback: boolean, loop: boolean): void;
  closeWatcher(watcher: WatcherHandle): void;
  /** Watchers that are opened from here hear from a thread of the addon instead of libuv. */
  usePollThread(): void;
}

/** True where descriptors can be passed: Linux. Elsewhere createHandoff() serves without handing over, the rest throws. */
export const isSupported: boolean = process.platform === 'linux';

function load(): Binding {
  const found = find();
  if (!hasUvPoll) found.usePollThread();
  return found;
}

function find(): Binding {
  const root = path.join(__dirname, '..', '..');
  try {
    return nodeGypBuild(root) as Binding;
  } catch (cause) {
    throw permissionError(root, cause) ?? noBinary(root, cause);
  }
}

/** The package brings a binary for these: only a part of the package can be without. */
const SHIPPED = ['x64', 'arm64'];

function noBinary(root: string, cause: unknown): Error {
  return Object.assign(new Error(whyNot(root, cause), { cause }), { code: 'ERR_FDPASS_NO_BINARY' });
}

function whyNot(root: string, cause: unknown): string {
  const { arch } = process;
  const compile = 'compile one (g++, make and python3 are needed): npx fdpass build';
  if (hasBinary(root, arch))
    return (
      `the binary of fdpass does not load: ${(cause as Error).message}. Deno takes --allow-ffi; a file system must not be ` +
      `mounted noexec; for what else it lacks, ${compile}`
    );
  if (!SHIPPED.includes(arch)) return `fdpass has no binary for linux-${arch}: ${compile}`;
  return (
    `fdpass is without its binary: there is no ${prebuilt(root, arch)}. A bundler has left it out: mark fdpass as external ` +
    `(esbuild --external:fdpass), or copy the folder prebuilds of the package to ${root}; or ${compile}`
  );
}

function prebuilt(root: string, arch: string): string {
  return path.join(root, 'prebuilds', `linux-${arch}`, 'fdpass.node');
}

function hasBinary(root: string, arch: string): boolean {
  return existsSync(prebuilt(root, arch)) || existsSync(path.join(root, 'build', 'Release', 'fdpass.node'));
}

/** Node under --permission refuses to load an addon, and hides files so that they seem not to be there. */
function permissionError(root: string, cause: unknown): Error | undefined {
  const missing = isPermitted('fs.read', path.join(root, 'x')) ? [] : [`--allow-fs-read=${root}/*`];
  const disabled = (cause as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED';
  if (disabled || missing.length > 0) missing.push('--allow-addons');
  if (missing.length === 0) return undefined;
  return Object.assign(
    new Error(
      `fdpass may not load its binary under Node's permission model. Start Node with ${missing.join(' ')}`,
      {
        cause,
      },
    ),
    { code: 'ERR_FDPASS_PERMISSION' },
  );
}

function refuse(): Binding {
  return new Proxy({} as Binding, {
    get() {
      throw unsupportedPlatform('fdpass');
    },
  });
}

/** ERR_FDPASS_UNSUPPORTED_PLATFORM */
export function unsupportedPlatform(what: string): Error & { code: string } {
  return Object.assign(
    new Error(`${what} works on Linux only; this is ${process.platform}. Ask isSupported first.`),
    { code: 'ERR_FDPASS_UNSUPPORTED_PLATFORM' },
  );
}

/** The exports as a prototype: V8 compiles calls against those of one, and looks each up by name in an object of so many. */
export const binding: Binding = isSupported ? Object.create(load()) : refuse();
