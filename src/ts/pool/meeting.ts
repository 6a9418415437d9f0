// Meeting: where workers that have lost their primary, or were released by it, find this one.
import { UnixAddress } from '../fd/address';
import { SOCK_SEQPACKET } from '../fd/describe';
import { Fd } from '../fd/fd';
import type { DrainCount } from '../handoff/connections';
import type { Place } from '../handoff/endpoint';
import type { Service } from '../handoff/service';
import { requireTrusted } from '../handoff/trust';
import { bindUnix } from '../names/bind-path';
import { binding } from '../native/binding';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import { LINK_OPTIONS, Link } from '../worker/link';
import { type PrimaryMessage, readWorkerMessage, type WorkerMessage } from '../worker/messages';
import type { WorkerLink } from './worker';

/** What a worker says when it comes back. */
export type Return = WorkerMessage & { type: 'hello' } & Required<
    Pick<WorkerMessage & { type: 'hello' }, 'back'>
  >;

export interface MeetingHooks {
  /** The handler owns the link and the descriptors, those of `hello.back.listeners` in their order. */
  onReturn(hello: Return, link: WorkerLink, fds: Fd[]): void;
  /** Another primary serves: the workers are to go there. */
  part(): void;
  /** It has given up: the workers come back. */
  expect(): void;
  /** This process serves no more. Resolves when the workers that are left to it have ended. */
  drained(): Promise<void>;
  /** Of the workers: connections that are open, and were accepted. */
  figures(): { open: number; accepted: number };
  /** Somebody could not be met, for want of descriptors. */
  onError(error: Error): void;
}

/** Of the registry. */
export const MEETING = 'workers';

/** Beside the control socket. */
export function meetingAddress(control: UnixAddress): UnixAddress {
  const name = Buffer.concat([control.bytes, Buffer.from('.workers')]);
  return control.kind === 'path' ? UnixAddress.path(name) : UnixAddress.abstract(name);
}

/** From connecting to the first word. */
const HELLO_MS = 5_000;

/** Orphans of a whole pool come at once, and try again. */
const BACKLOG = 128;

export function meetingPlace(address: UnixAddress): Place {
  return {
    matches: () => true,
    bind() {
      const fd = Fd.own(binding.openSocket(SOCK_SEQPACKET));
      try {
        const options = { replaceStale: true, mode: 0o600 };
        return {
          fd,
          name: bindUnix({ fd: fd.fd, type: SOCK_SEQPACKET, backlog: BACKLOG }, address, options),
        };
      } catch (error) {
        fd.close();
        throw error;
      }
    },
  };
}

export class Meeting implements Service {
  readonly user = this;
  readonly #hooks: MeetingHooks;
  /** Not yet introduced. */
  readonly #strangers = new Set<WorkerLink>();
  #server: UnixSeqpacketServer | undefined;
  #parted = false;

  constructor(hooks: MeetingHooks) {
    this.#hooks = hooks;
  }

  get open(): number {
    return this.#hooks.figures().open;
  }

  get accepted(): number {
    return this.#hooks.figures().accepted;
  }

  async start(fd: Fd): Promise<void> {
    if (this.#server === undefined && !this.#parted) this.#listen(fd);
  }

  pause(): void {
    this.#shut();
    this.#part();
  }

  resume(fd: Fd): void {
    if (!this.#parted) return;
    this.#listen(fd);
    this.#parted = false;
    this.#hooks.expect();
  }

  stop(): void {
    this.#shut();
    this.#part();
  }

  async drain(): Promise<DrainCount> {
    await this.#hooks.drained();
    return { closed: 0, forced: 0 };
  }

  #part(): void {
    if (this.#parted) return;
    this.#parted = true;
    process.nextTick(() => this.#hooks.part()); // the listeners pass what they have to the workers first
  }

  #listen(fd: Fd): void {
    const own = Fd.dup(fd);
    try {
      this.#server = UnixSeqpacketServer.adopt(own, LINK_OPTIONS);
    } catch (error) {
      own.close();
      throw error;
    }
    this.#server.unref();
    this.#server.on('connection', (socket: UnixSeqpacket) => this.#meet(socket));
    this.#server.on('error', (error: Error) => this.#hooks.onError(error));
  }

  #shut(): void {
    void this.#server?.close({ unlink: false });
    this.#server = undefined;
    for (const link of this.#strangers) link.close();
    this.#strangers.clear();
  }

  #meet(socket: UnixSeqpacket): void {
    let pid: number;
    try {
      requireTrusted(socket, []);
      pid = socket.peerCredentials.pid;
    } catch {
      void socket.close();
      return;
    }
    const link: WorkerLink = new Link<PrimaryMessage, WorkerMessage>(socket, readWorkerMessage, {
      onMessage: (message, fds) => {
        clearTimeout(late);
        this.#strangers.delete(link);
        if (message.type === 'hello' && message.back !== undefined) {
          this.#hooks.onReturn({ ...(message as Return), pid }, link, fds); // what it says of itself may be wrong
          return;
        }
        Fd.closeAll(fds);
        link.close();
      },
      onGarbage: () => this.#turnAway(link),
      onEnd: () => this.#strangers.delete(link),
    });
    this.#strangers.add(link);
    const late = setTimeout(() => this.#turnAway(link), HELLO_MS).unref();
  }

  #turnAway(link: WorkerLink): void {
    this.#strangers.delete(link);
    link.close();
  }
}
