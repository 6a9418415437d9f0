// RawHolder: a holder that speaks the frames of the protocol itself, rightly or wrongly, as a test wants it.
import { once } from 'node:events';
import net from 'node:net';
import { Fd, type UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { describeFd, printEndpoint } from '#fdpass/fd/describe';
import { decodeFrame, encodeFrame, type FrameType, MAX_FRAME_BYTES } from '#fdpass/handoff/frame';
import type { ManifestEntry } from '#fdpass/handoff/payloads';
import type { Heard } from './raw-peer';
import { within } from './stage';

const CONTROL = '(control)';

/** Listens on the control address and on a port, and offers both. */
export class RawHolder {
  readonly web = net.createServer();
  /** The control listener itself, which outlives server.close(). */
  control: Fd;
  readonly server = new UnixSeqpacketServer({ maxFds: 0, maxBytes: MAX_FRAME_BYTES });
  #socket: UnixSeqpacket | undefined;
  readonly #connected: Promise<UnixSeqpacket>;
  #txn = '';
  sequence = 0;

  static async open(address: string, version = 2): Promise<RawHolder> {
    const holder = new RawHolder(address, version);
    holder.web.listen(0, '127.0.0.1');
    await once(holder.web, 'listening');
    return holder;
  }

  private constructor(
    address: string,
    readonly version: number,
  ) {
    this.server.listen(address);
    this.control = Fd.dup(this.server);
    this.#connected = once(this.server, 'connection').then(([socket]) => socket as UnixSeqpacket);
  }

  get port(): number {
    return (this.web.address() as net.AddressInfo).port;
  }

  async hear(): Promise<Heard | null> {
    this.#socket ??= await within('a successor', () => this.#connected);
    const socket = this.#socket;
    const message = await within('a frame of the successor', (signal) => socket.receive({ signal }));
    if (message === null) return null;
    const { type, txn, payload } = decodeFrame(message.data);
    this.#txn = txn;
    return { type, payload };
  }

  async send(type: FrameType, payload: Record<string, unknown> = {}, fds: Fd[] = []): Promise<void> {
    await this.sendRaw(encodeFrame({ type, txn: this.#txn, sequence: this.sequence++, payload }), fds);
  }

  async sendRaw(bytes: Buffer, fds: Fd[] = []): Promise<void> {
    await (this.#socket as UnixSeqpacket).send(bytes, { fds });
  }

  entries(): ManifestEntry[] {
    const web = Fd.dup(this.web);
    const entries = [entry(CONTROL, this.control), entry('web', web)];
    web.close();
    return entries;
  }

  /** Answers HELLO. */
  async offer(listeners = this.entries()): Promise<void> {
    await this.hear();
    await this.send('OFFER', { version: this.version, pid: process.pid, generation: 1, listeners });
    await this.hear();
  }

  /** Sends these in the place of the descriptors that were offered. */
  async giveAll(fds: Record<string, Fd>): Promise<void> {
    await this.send('FDS', { names: Object.keys(fds) }, Object.values(fds));
  }

  /** Sends `web`, or another descriptor in its place. */
  async give(web: Fd = Fd.dup(this.web)): Promise<void> {
    await this.send('FDS', { names: [CONTROL, 'web'] }, [this.control, web]);
    web.close();
  }

  /** Until the successor has said ACCEPTING. */
  async commit(): Promise<void> {
    await this.offer();
    await this.give();
    await this.hear(); // ADOPTED
    await this.ready();
    await this.send('COMMIT');
    const heard = await this.hear();
    if (heard?.type !== 'ACCEPTING') throw new Error(`expected ACCEPTING: ${JSON.stringify(heard)}`);
  }

  /** Until the successor has called ready() and has answered. */
  async ready(): Promise<void> {
    await this.hear(); // READY
    if (this.version === 1) return;
    await this.send('PING');
    await this.hear(); // PONG
  }

  /** Ends the connection, and nothing else. */
  async hangUp(): Promise<void> {
    await this.#socket?.close();
  }

  /** Like a process that dies. */
  async close(): Promise<void> {
    await this.hangUp();
    await this.server.close();
    this.control.close();
    if (this.web.listening) this.web.close();
  }
}

function entry(name: string, fd: Fd): ManifestEntry {
  const { family, type, local } = describeFd(fd.fd);
  if (family === undefined || type === undefined || local === undefined)
    throw new Error(`${name} is no socket`);
  return { name, family, type, address: printEndpoint(local) };
}
