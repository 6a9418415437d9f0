// The frames of the handoff protocol: bytes to typed frames and back. Pure: no I/O, no clock, no state.
import { FdpassError } from '../base/errors';

/** 'FDPS' */
const MAGIC = 0x46445053;
/** Layout of the header. Changes only if a peer could not even say REFUSED. */
const MAJOR = 1;
const HEADER_BYTES = 32;
export const TXN_BYTES = 16;
/** Of a refusal that comes before HELLO was read. */
export const NO_TXN = '0'.repeat(2 * TXN_BYTES);
/** Of the JSON behind the header. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;
export const MAX_FRAME_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES;

// The numbers are the protocol: never reuse one.
const NUMBERS = {
  HELLO: 1,
  REFUSED: 2,
  BUSY: 3,
  OFFER: 4,
  WANT: 5,
  FDS: 6,
  ADOPTED: 7,
  READY: 8,
  COMMIT: 9,
  ACCEPTING: 10,
  DRAIN: 11,
  BYE: 12,
  NAK: 13,
  // From version 2 on.
  PING: 14,
  PONG: 15,
  PROBATION: 16,
  FINAL: 17,
  HURRY: 18,
  // Of a command, which is no transaction.
  COMMAND: 19,
  PROGRESS: 20,
  RESULT: 21,
  EXTEND: 22,
  REPORT: 23,
} as const;

export type FrameType = keyof typeof NUMBERS;

const TYPES = new Map<number, FrameType>(
  (Object.keys(NUMBERS) as FrameType[]).map((type) => [NUMBERS[type], type]),
);

export interface Frame {
  type: FrameType;
  /** The transaction, 32 hex digits. */
  txn: string;
  /** Counts the frames of one direction from 0. */
  sequence: number;
  payload: Record<string, unknown>;
}

/** What a peer sent makes no sense. Never a reason to stop serving. */
export function protocolError(reason: string): FdpassError {
  return new FdpassError('ERR_HANDOFF_PROTOCOL', reason);
}

/*
 *  0  u32 magic     4  u8 major    5  u8 type     6  u16 zero
 *  8  16 bytes transaction       24  u32 sequence 28  u32 bytes of JSON that follow.  Big endian.
 */
export function encodeFrame(frame: Frame): Buffer {
  const payload = Buffer.from(JSON.stringify(frame.payload));
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw protocolError(
      `a ${frame.type} of ${payload.length} bytes is too long; use fewer listeners or shorter names`,
    );
  }
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt8(MAJOR, 4);
  bytes.writeUInt8(NUMBERS[frame.type], 5);
  bytes.write(frame.txn, 8, TXN_BYTES, 'hex');
  bytes.writeUInt32BE(frame.sequence, 24);
  bytes.writeUInt32BE(payload.length, 28);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** @throws ERR_HANDOFF_PROTOCOL for anything that encodeFrame() would not make */
export function decodeFrame(bytes: Buffer): Frame {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) {
    throw protocolError('this is not a frame of the handoff protocol');
  }
  if (bytes.length > MAX_FRAME_BYTES) throw protocolError(`a frame of ${bytes.length} bytes is too long`);
  const major = bytes.readUInt8(4);
  if (major !== MAJOR) throw protocolError(`frame layout ${major} is unknown, this side speaks ${MAJOR}`);
  const type = TYPES.get(bytes.readUInt8(5));
  if (type === undefined) throw protocolError(`frame type ${bytes.readUInt8(5)} is unknown`);
  if (bytes.readUInt16BE(6) !== 0) throw protocolError('bytes 6 and 7 of the frame are not zero');
  if (bytes.readUInt32BE(28) !== bytes.length - HEADER_BYTES)
    throw protocolError('the frame has a wrong length');
  return {
    type,
    txn: bytes.toString('hex', 8, 8 + TXN_BYTES),
    sequence: bytes.readUInt32BE(24),
    payload: parsePayload(bytes.subarray(HEADER_BYTES)),
  };
}

function parsePayload(bytes: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new FdpassError('ERR_HANDOFF_PROTOCOL', 'the payload of a frame is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw protocolError('the payload of a frame is not an object');
  }
  return value as Record<string, unknown>;
}
