// RawPeer: a successor that speaks the frames of the protocol itself, rightly or wrongly, as a test wants it.
import { type Fd, UnixSeqpacket } from 'fdpass';
import { decodeFrame, encodeFrame, type FrameType, MAX_FRAME_BYTES } from '#fdpass/handoff/frame';
import { seeded } from './random';
import { within } from './stage';

export interface Heard {
  type: FrameType;
  payload: Record<string, unknown>;
}

/** The holder's states that a peer can bring it to. */
export type PeerState = 'offer' | 'fds' | 'warm' | 'ping' | 'commit' | 'probation' | 'final' | 'draining';

let peers = 0;

export class RawPeer {
  readonly socket = new UnixSeqpacket({ maxFds: 253, maxBytes: MAX_FRAME_BYTES });
  readonly txn = seeded(++peers).bytes(16).toString('hex');
  /** What has been inherited; the test closes it with the peer. */
  readonly fds: Fd[] = [];
  sequence = 0;

  /** @param version of the protocol; @param probationMs what it asks for, from version 2 on */
  constructor(
    address: string,
    readonly version = 2,
    readonly probationMs = 0,
  ) {
    this.socket.connect(address);
  }

  async send(type: FrameType, payload: Record<string, unknown> = {}, fds: Fd[] = []): Promise<void> {
    const { txn } = this;
    await this.socket.send(encodeFrame({ type, txn, sequence: this.sequence++, payload }), { fds });
  }

  /** null: the holder has closed the connection. */
  async hear(): Promise<Heard | null> {
    return await within('a frame of the holder', async (signal) => {
      const message = await this.socket.receive({ signal });
      if (message === null) return null;
      this.fds.push(...message.fds);
      const { type, payload } = decodeFrame(message.data);
      return { type, payload };
    });
  }

  /** Goes on until the holder is in that state. To 'probation' only with `probationMs`, to 'final' only without. */
  async advance(to: PeerState): Promise<void> {
    await this.send('HELLO', { versions: [1, this.version], uptimeMs: 1 });
    const offer = await this.#expect('OFFER');
    if (to === 'offer') return;
    await this.send('WANT');
    const listeners = offer['listeners'] as { name: string }[];
    for (let adopted = 0; adopted < listeners.length; ) {
      adopted += ((await this.#expect('FDS'))['names'] as string[]).length;
      if (to === 'fds') return;
      await this.send('ADOPTED', { count: adopted });
    }
    if (to === 'warm') return;
    await this.send('READY', { probationMs: this.probationMs, intervalMs: 10 });
    if (this.version > 1) {
      await this.#expect('PING');
      if (to === 'ping') return;
      await this.send('PONG');
    }
    await this.#expect('COMMIT');
    if (to === 'commit') return;
    await this.send('ACCEPTING', { inherited: listeners.map(({ name }) => name) });
    if (this.version === 1) return void (await this.#expect('DRAIN'));
    await this.#expect(this.probationMs > 0 ? 'PROBATION' : 'FINAL');
    if (to !== 'draining') return;
    await this.send('DRAIN');
  }

  /** How the holder has ended; before that it reports now and then how it is. */
  async bye(): Promise<Record<string, unknown>> {
    let heard = await this.hear();
    while (heard?.type === 'REPORT') heard = await this.hear();
    if (heard?.type === 'BYE') return heard.payload;
    throw new Error(`expected BYE, the holder said ${JSON.stringify(heard)}`);
  }

  async close(): Promise<void> {
    for (const fd of this.fds.splice(0)) fd.close();
    await this.socket.close();
  }

  async #expect(type: FrameType): Promise<Record<string, unknown>> {
    const heard = await this.hear();
    if (heard?.type === type) return heard.payload;
    throw new Error(`expected ${type}, the holder said ${JSON.stringify(heard)}`);
  }
}
