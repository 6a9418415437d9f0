// A C program over epoll: the limit. Twice, because two runs of the same thing show the noise.
import { cProgram } from '../lib/programs.mjs';

const everything = {
  pingpong: ['dgram', 'seqpacket', 'stream'],
  oneway: ['dgram', 'seqpacket', 'stream'],
  connect: ['stream', 'seqpacket'],
  sockets: ['seqpacket'],
};
const packets = { pingpong: everything.pingpong, oneway: ['dgram', 'seqpacket'] };

export const contenders = [
  { name: 'c', title: 'C, epoll', does: everything, program: cProgram() },
  { name: 'c-again', title: 'C, epoll, again', does: everything, program: cProgram() },
  { name: 'c-blocking', title: 'C, blocking', does: packets, program: cProgram('mode=blocking') },
  {
    name: 'c-batched',
    title: 'C, sendmmsg/recvmmsg',
    does: { oneway: ['dgram', 'seqpacket'] },
    not: ({ fds }) => fds > 0,
    program: cProgram('mode=batched'),
  },
  {
    name: 'c-close-range',
    title: 'C, epoll, close_range',
    does: { oneway: ['seqpacket'] },
    not: ({ fds = 0 }) => fds < 2,
    program: cProgram('closeRuns=1'),
  },
  {
    // As many as Node lets go by before it collects: V8, Heap::AllocateExternalBackingStore(), twice a semi-space.
    name: 'c-keep',
    title: 'C, epoll, 32 MiB of messages kept',
    differsAs: 'receiver',
    does: { oneway: ['dgram', 'seqpacket'] },
    not: ({ size, fds = 0 }) => size < 8192 || fds > 0,
    program: cProgram(`keep=${32 * 1024 * 1024}`),
  },
  {
    name: 'c-sndbuf',
    title: 'C, epoll, SO_SNDBUF 212992',
    does: { oneway: ['stream', 'dgram', 'seqpacket'] },
    not: ({ size }) => size < 65536,
    program: cProgram('sndbuf=212992'),
  },
  {
    name: 'c-tcp',
    title: 'C, epoll, TCP',
    does: { pingpong: ['tcp'], oneway: ['tcp'] },
    program: cProgram(),
  },
];
