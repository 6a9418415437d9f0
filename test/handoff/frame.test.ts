// The frame codec: what goes in comes out, and nothing else comes out.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type FrameType,
  MAX_FRAME_BYTES,
  MAX_PAYLOAD_BYTES,
} from '#fdpass/handoff/frame';
import { seeded } from '../helpers/random';

const TYPES: FrameType[] = [
  'HELLO',
  'REFUSED',
  'BUSY',
  'OFFER',
  'WANT',
  'FDS',
  'ADOPTED',
  'READY',
  'COMMIT',
  'ACCEPTING',
  'DRAIN',
  'BYE',
  'NAK',
  'PING',
  'PONG',
  'PROBATION',
  'FINAL',
  'HURRY',
  'COMMAND',
  'PROGRESS',
  'RESULT',
  'EXTEND',
  'REPORT',
];
const HEADER_BYTES = 32;
const TXN = '00112233445566778899aabbccddeeff';

function frame(payload: Record<string, unknown> = { a: 1 }, type: FrameType = 'HELLO'): Frame {
  return { type, txn: TXN, sequence: 7, payload };
}

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = encodeFrame(frame());
  change(bytes);
  return bytes;
}

function withPayload(payload: string | Buffer): Buffer {
  const bytes = Buffer.concat([encodeFrame(frame({})).subarray(0, HEADER_BYTES), Buffer.from(payload)]);
  bytes.writeUInt32BE(bytes.length - HEADER_BYTES, 28);
  return bytes;
}

const protocolError = { name: 'FdpassError', code: 'ERR_HANDOFF_PROTOCOL' };

for (const type of TYPES) {
  test(`a ${type} frame comes back as it was sent`, () => {
    const sent: Frame = { type, txn: TXN, sequence: 2 ** 32 - 1, payload: { text: 'ünï', list: [1, null] } };
    assert.deepEqual(decodeFrame(encodeFrame(sent)), sent);
  });
}

test('the layout of a frame is the documented one', () => {
  const bytes = encodeFrame(frame({}, 'NAK'));
  assert.equal(bytes.toString('hex'), `46445053010d0000${TXN}00000007000000027b7d`);
});

test('a payload of exactly the limit passes, one byte more is refused when it is encoded', () => {
  const overhead = JSON.stringify({ a: '' }).length;
  const longest = { a: 'x'.repeat(MAX_PAYLOAD_BYTES - overhead) };
  const bytes = encodeFrame(frame(longest));
  assert.equal(bytes.length, MAX_FRAME_BYTES);
  assert.deepEqual(decodeFrame(bytes).payload, longest);
  assert.throws(() => encodeFrame(frame({ a: `${longest.a}x` })), protocolError);
});

const garbage: [name: string, bytes: Buffer][] = [
  ['an empty message', Buffer.alloc(0)],
  ['a message shorter than the header', encodeFrame(frame()).subarray(0, HEADER_BYTES - 1)],
  ['a wrong magic', changed((bytes) => bytes.writeUInt8(0, 0))],
  ['another layout', changed((bytes) => bytes.writeUInt8(2, 4))],
  ['bytes that have to be zero', changed((bytes) => bytes.writeUInt16BE(1, 6))],
  ['type 0', changed((bytes) => bytes.writeUInt8(0, 5))],
  ['an unknown type', changed((bytes) => bytes.writeUInt8(TYPES.length + 1, 5))],
  ['a length beyond the message', changed((bytes) => bytes.writeUInt32BE(bytes.length, 28))],
  ['a length short of the message', changed((bytes) => bytes.writeUInt32BE(1, 28))],
  ['the highest length', changed((bytes) => bytes.writeUInt32BE(2 ** 32 - 1, 28))],
  ['a header alone, without JSON', withPayload('')],
  ['a payload that is not JSON', withPayload('{')],
  ['a payload that is not UTF-8', withPayload(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))],
  ['a payload that is null', withPayload('null')],
  ['a payload that is a list', withPayload('[]')],
  ['a payload that is a number', withPayload('1')],
  ['a payload that is a string', withPayload('"x"')],
  ['a payload over the limit', withPayload(`{"a":"${'x'.repeat(MAX_PAYLOAD_BYTES)}"}`)],
];

for (const [name, bytes] of garbage) {
  test(`${name} is a protocol error`, () => {
    assert.throws(() => decodeFrame(bytes), protocolError);
  });
}

test('20000 random messages give a frame or a protocol error, and nothing else', () => {
  const random = seeded(0xfd);
  const original = encodeFrame(frame({ versions: [1, 1], uptimeMs: 5 }));
  let decoded = 0;
  for (let i = 0; i < 20_000; i++) {
    // Every other one is a real frame with a few bytes changed or cut: noise alone never gets past the magic.
    const bytes = i % 2 === 0 ? random.bytes(random.below(80)) : mutate(original, random);
    try {
      const { payload } = decodeFrame(bytes);
      assert.equal(typeof payload, 'object');
      decoded++;
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ERR_HANDOFF_PROTOCOL', bytes.toString('hex'));
    }
  }
  assert.ok(decoded > 1000, `only ${decoded} were frames: the mutations are too wild to test anything`);
});

function mutate(original: Buffer, random: ReturnType<typeof seeded>): Buffer {
  const bytes = Buffer.from(original);
  for (let n = random.below(3); n > 0; n--) bytes.writeUInt8(random.below(256), random.below(bytes.length));
  return random.below(10) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}
