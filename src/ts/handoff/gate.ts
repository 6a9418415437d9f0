// Gate: whether one server accepts. Shut and opened again without the program noticing.
import net from 'node:net';
import { adoptServer } from '../fd/adopt';
import { Fd } from '../fd/fd';

/**
 * Node can only close the handle of a listener. Its connections live on, and a duplicate that is given to the
 * server later makes it accept again; but Node says 'close' when the last connection ends, 'listening' when it
 * accepts again, and address() is null meanwhile. A program that merely stands by shall see none of that.
 */
export class Gate {
  readonly #server: net.Server;
  /** Kept while shut: opening again must not fail for want of a descriptor. */
  #spare: Fd | undefined;
  #unmute: (() => void) | undefined;
  /** Node has said 'close', and nobody has heard it. */
  #closeDue = false;

  constructor(server: net.Server) {
    this.#server = server;
  }

  /** Accepts. The descriptor stays the caller's. */
  async open(fd: Fd, backlog: number): Promise<void> {
    if (this.#server.listening) return;
    using duplicate = Fd.dup(fd); // ours again if it is not adopted
    await adoptServer(this.#server, duplicate, { backlog });
  }

  /**
   * Accepts no more on `fd`, which is lent. Connections notice nothing. Not http.Server.close(): that ends idle
   * connections, and a request that is on its way to one of them fails.
   */
  shut(fd: Fd): void {
    const server = this.#server;
    if (!server.listening) return;
    const address = server.address();
    server.address = () => address; // a handler that asks for it must not fail from now on
    this.#mute();
    this.#spare = tryDup(fd);
    net.Server.prototype.close.call(server);
    this.#spare ??= tryDup(fd); // with the descriptor that has just been freed
  }

  /** Undoes shut(), at once. */
  reopen(fd: Fd, backlog: number): void {
    this.reopenBy(() => {
      const spare = this.#spare ?? Fd.dup(fd);
      this.#spare = undefined;
      // Node owns the number from here, also if it fails; then the server's 'error' event says why.
      this.#server.listen({ fd: spare.detach() }, backlog);
    });
  }

  /** The same in another way, in which the server listens from here. */
  reopenBy(listen: () => void): void {
    if (this.#unmute === undefined) return; // it was not open
    listen();
    this.#closeDue = false; // it accepts again
    this.#dropSpare();
    Reflect.deleteProperty(this.#server, 'address');
  }

  /** Shut for good. */
  retire(fd: Fd): void {
    this.shut(fd);
    this.#dropSpare();
    this.#unmute?.();
    if (!this.#closeDue) return; // Node will say it when the last connection has ended
    this.#closeDue = false;
    process.nextTick(() => this.#server.emit('close'));
  }

  #dropSpare(): void {
    this.#spare?.close();
    this.#spare = undefined;
  }

  // emit() itself, and not the listeners: http.Server has one of its own for 'listening', which would begin to
  // watch timeouts anew.
  #mute(): void {
    const server = this.#server;
    const emit = server.emit;
    const muted = (event: string | symbol, ...args: unknown[]): boolean => {
      if (this.#unmute !== undefined && event === 'close') {
        this.#closeDue = true;
        return false;
      }
      if (this.#unmute !== undefined && event === 'listening') {
        this.#closeDue = false;
        this.#unmute();
        return false;
      }
      return Reflect.apply(emit, server, [event, ...args]);
    };
    const own = Object.hasOwn(server, 'emit');
    server.emit = muted;
    this.#unmute = () => {
      this.#unmute = undefined;
      if (server.emit !== muted) return; // somebody has wrapped it: from here it passes everything on
      if (own) server.emit = emit;
      else Reflect.deleteProperty(server, 'emit');
    };
  }
}

function tryDup(fd: Fd): Fd | undefined {
  try {
    return Fd.dup(fd);
  } catch {
    return undefined; // no free descriptor
  }
}
