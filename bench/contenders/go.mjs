// Go: its net package, as Bendersky's article uses it; descriptors by WriteMsgUnix() and ReadMsgUnix().
import { goProgram } from '../lib/programs.mjs';

export const contenders = [
  {
    name: 'go',
    title: 'Go',
    does: {
      pingpong: ['dgram', 'seqpacket', 'stream'],
      oneway: ['dgram', 'seqpacket', 'stream'],
    },
    not: ({ unconnected }) => unconnected === 1,
    program: goProgram(),
  },
  { name: 'go-tcp', title: 'Go, TCP', does: { pingpong: ['tcp'] }, program: goProgram() },
];
