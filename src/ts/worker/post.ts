// Post: that this process, or this worker thread, was started as a worker of a pool, as its environment says.
import { isMainThread } from 'node:worker_threads';
import { UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import { isSupported } from '../native/binding';
import { UnixSeqpacket } from '../sockets/seqpacket';
import { LINK_OPTIONS, LINK_VARIABLE } from './link';

/** Set for a worker: where a primary that comes later can be met, as text: an absolute path, or '@name'. */
export const POOL_VARIABLE = 'FDPASS_POOL';
/** Set for a worker: what it does when its primary dies, 'serve' (the default) or 'drain'. */
export const ORPHANS_VARIABLE = 'FDPASS_ORPHANS';

/** Plain values only: a copy of this package of another version may read them. */
interface Post {
  /** Of our end of the link. In a worker thread the primary's own. */
  number: number;
  inode: string;
  pool: string | undefined;
  orphans: string | undefined;
}

/** What a worker has of its primary. */
export interface Appointment {
  socket: UnixSeqpacket;
  /** Where to look for the next primary; undefined: nowhere. */
  pool: UnixAddress | undefined;
  /** What to do without one. */
  orphans: 'serve' | 'drain';
}

// fdpass/register and the program may have loaded different copies of this package.
const POST = Symbol.for('fdpass.worker.post');
const CLAIMANT = Symbol.for('fdpass.worker.claimant');
const shared = globalThis as { [POST]?: Post | undefined; [CLAIMANT]?: Claimant };

/** Who makes use of it: the program by createHandoff(), or fdpass/register for a program that knows nothing of pools. */
export type Claimant = 'handoff' | 'register';

// At once: threads and processes that the program starts must not take themselves for this worker.
function takePost(): Post | undefined {
  const { [LINK_VARIABLE]: link, [POOL_VARIABLE]: pool, [ORPHANS_VARIABLE]: orphans } = process.env;
  if (link === undefined) return undefined;
  for (const name of [LINK_VARIABLE, POOL_VARIABLE, ORPHANS_VARIABLE]) delete process.env[name];
  const [number, inode] = link.split(':');
  if (!isSupported || inode === undefined) return undefined;
  return { number: Number(number), inode, pool, orphans };
}

shared[POST] ??= takePost();

/** This process is a worker, and its program has not made use of that yet. */
export function hasPost(): boolean {
  return shared[POST] !== undefined;
}

/** The first one has got it; undefined: nobody has, or this process is no worker. */
export function claimant(): Claimant | undefined {
  return shared[CLAIMANT];
}

/** The first one gets it. undefined: this process is no worker, or is one already. */
export function claimPost(by: Claimant): Appointment | undefined {
  const post = shared[POST];
  shared[POST] = undefined;
  if (post === undefined) return undefined;
  shared[CLAIMANT] = by;
  const fd = ownEnd(post);
  if (fd === undefined) return undefined;
  try {
    return {
      socket: UnixSeqpacket.adopt(fd, LINK_OPTIONS),
      // Of a thread there is nothing left when its primary has died.
      pool: post.pool === undefined || !isMainThread ? undefined : UnixAddress.from(post.pool),
      orphans: post.orphans === 'drain' || !isMainThread ? 'drain' : 'serve',
    };
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** undefined: something between the primary and us (a shell, npm) has closed it and may have used the number for itself. */
function ownEnd({ number, inode }: Post): Fd | undefined {
  let given: Fd;
  try {
    given = Fd.adopt(number);
  } catch {
    return undefined;
  }
  const meant = String(given.describe().inode) === inode;
  const own = meant ? Fd.dup(given) : undefined; // close-on-exec
  if (meant && isMainThread) given.close();
  else given.detach();
  return own;
}
