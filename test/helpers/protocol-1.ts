// The frozen first version of the protocol. See ../fixtures/protocol-1/README.md
import { createRequire } from 'node:module';
import path from 'node:path';
import type { ControlChannel } from '#fdpass/handoff/channel';

const folder = path.join(path.dirname(require.resolve('fdpass/package.json')), 'test/fixtures/protocol-1');
const load = createRequire(path.join(folder, 'frame.js'));

/** What the frozen machines say and hear: types of then, told once more for the fixture that drives them. */
export interface Step1 {
  state: { name: string; listeners?: { name: string }[] };
  commands: Command1[];
}

export type Command1 = { do: string; type: string; payload: Record<string, unknown> } & Partial<{
  fds: string[];
  ms: number;
  code: string;
  reason: string;
  txn: string;
  offer: { generation: number; pid: number };
}>;

export interface Frozen {
  HOLDER_START: Step1['state'];
  SUCCESSOR_START: Step1['state'];
  stepHolder(state: Step1['state'], event: unknown, facts: unknown): Step1;
  stepSuccessor(state: Step1['state'], event: unknown, facts: unknown): Step1;
  ControlChannel: typeof ControlChannel;
}

export const frozen: Frozen = {
  ...load('./holder.js'),
  ...load('./successor.js'),
  ...load('./channel.js'),
};
