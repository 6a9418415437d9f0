// Python: its socket module, blocking; descriptors by send_fds() and recv_fds().
import { script } from '../lib/programs.mjs';

export const contenders = [
  {
    name: 'python',
    title: 'Python',
    does: { pingpong: ['dgram', 'seqpacket', 'stream'], oneway: ['dgram', 'seqpacket'] },
    not: ({ unconnected }) => unconnected === 1,
    program: script('python3', 'python/bench.py'),
  },
];
