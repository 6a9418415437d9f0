// RawPeer: a successor that speaks the frames of the protocol itself, rightly or wrongly, as a test wants it.
import { type Fd, UnixSeqpacket } from 'fdpass';
import { decodeFrame, encodeFrame, type FrameType, MAX_FRAME_BYTES } from '#fdpass/handoff/frame';
import { seeded } from './random';
import { within } from './stage';

export interface Heard {
  type: FrameType;
  payload: Record<string, unknown>;
}

let peers = 0;

export class RawPeer {
  readonly socket = new UnixSeqpacket({ maxFds: 253, maxBytes: MAX_FRAME_BYTES });
  readonly txn = seeded(++peers).bytes(16).toString('hex');
  /** What has been inherited; the test closes it with the peer. */
  readonly fds: Fd[] = [];
  sequence = 0;

  constructor(address: string) {
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

  /** Goes on until the holder is in that state. */
  async advance(to: 'offer' | 'fds' | 'warm' | 'commit' | 'draining'): Promise<void> {
    await this.send('HELLO', { versions: [1, 1], uptimeMs: 1 });
    const offer = await this.#expect('OFFER');
    if (to === 'offer') return;
    await this.send('WANT');
    const count = (offer['listeners'] as unknown[]).length;
    for (let adopted = 0; adopted < count; ) {
      adopted += ((await this.#expect('FDS'))['names'] as string[]).length;
      if (to === 'fds') return;
      await this.send('ADOPTED', { count: adopted });
    }
    if (to === 'warm') return;
    await this.send('READY');
    await this.#expect('COMMIT');
    if (to === 'commit') return;
    await this.send('ACCEPTING');
    await this.#expect('DRAIN');
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
