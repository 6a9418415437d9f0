// What is known not to work in a cell, and why. An entry is for failures that were traced, and for no more than those; one
// whose test no longer fails fails the matrix (judge.mjs).

// Tried with a program in C that sends three descriptors to a receiver with room for two: natively two are open afterwards
// and MSG_CTRUNC is set, under qemu three are and it is not.
const controlData =
  `qemu-user 7.2 lets the kernel fill a control buffer of twice the size and copies what fits: descriptors
beyond stay open where nobody knows their numbers, and MSG_CTRUNC is overwritten. (linux-user/syscall.c:
do_sendrecvmsg_locked, host_to_target_cmsg)`.replaceAll('\n', ' ');

const emptyMessage =
  `qemu-user 7.2 sends nothing for a sendmsg() without buffers, and says 0. (linux-user/syscall.c:
do_sendrecvmsg_locked, where lock_iovec gives NULL)`.replaceAll('\n', ' ');

const passRights =
  `qemu-user 7.2 answers setsockopt() with ENOPROTOOPT for options that it does not know, and SO_PASSRIGHTS of
Linux 6.16 is younger. (linux-user/syscall.c: do_setsockopt)`.replaceAll('\n', ' ');

const pipesOfBun = 'net.Socket of Bun takes no pipe: adoptSocket() says so (ERR_FDPASS_UNSUPPORTED_RUNTIME)';

const kinds = ['path', 'abstract', 'unnamed'];

export const known = [
  {
    cells: ['node24-arm64'],
    file: 'sockets/descriptors',
    titles: kinds.flatMap((kind) => [
      `dgram, ${kind}: more descriptors than maxFds are closed and reported, those that fit are kept`,
      `seqpacket, ${kind}: more descriptors than maxFds are closed and reported, those that fit are kept`,
      `seqpacket, ${kind}: by default no descriptor can be forced upon the receiver`,
    ]),
    reason: controlData,
  },
  {
    cells: ['node24-arm64'],
    file: 'sockets/stream-fds',
    titles: ['more than maxFds are closed and told, those that fit are kept'],
    reason: controlData,
  },
  {
    cells: ['node24-arm64'],
    file: 'conformance/rights',
    titles: [
      'RI-24 message with fd received without control buffer (length 0, or NULL control with length)',
      'RI-30 3 fds sent, room for 2',
      'RI-32 exact CMSG_LEN(1)=20 with 1 and 2 fds sent',
      'RI-36 SO_PASSCRED on and little control room',
    ],
    reason: controlData,
  },
  {
    cells: ['node24-arm64'],
    file: 'conformance/rights',
    titles: [
      'RI-46 receiver sets SO_PASSRIGHTS=0 (6.16+), fds sent to it on each type, also unconnected dgram',
    ],
    reason: passRights,
  },
  {
    cells: ['node24-arm64'],
    file: 'conformance/seqpacket',
    titles: ['SP-13 gather send with empty buffers; scatter receive into 9+3 bytes of 13; empty buffer list'],
    reason: emptyMessage,
  },
  {
    cells: ['bun', 'bun-musl'],
    file: 'fd/kind',
    titles: ['reading', 'writing'].map(
      (end) =>
        `the ${end} end of a pipe goes to adoptSocket(); the others name it, advise, and leave it whole`,
    ),
    reason: pipesOfBun,
  },
];
