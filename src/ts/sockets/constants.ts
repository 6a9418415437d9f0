// Numbers of the socket calls, the same on x64 and arm64, that node:os does not know.

/** Flags of sendmsg(2) and recvmsg(2). include/linux/socket.h */
export const MSG = {
  OOB: 0x1,
  PEEK: 0x2,
  CTRUNC: 0x8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  CMSG_CLOEXEC: 0x40000000,
} as const;

/** Events of poll(2). include/uapi/asm-generic/poll.h */
export const POLL = { IN: 0x1, PRI: 0x2, OUT: 0x4, ERR: 0x8, HUP: 0x10, NVAL: 0x20, RDHUP: 0x2000 } as const;

export const SOL_SOCKET = 1;

/** Options at SOL_SOCKET. include/uapi/asm-generic/socket.h */
export const SO = {
  TYPE: 3,
  ERROR: 4,
  SNDBUF: 7,
  RCVBUF: 8,
  OOBINLINE: 10,
  PASSCRED: 16,
  PEERCRED: 17,
  ACCEPTCONN: 30,
  PROTOCOL: 38,
  DOMAIN: 39,
  PEEK_OFF: 42,
  COOKIE: 57,
  PEERGROUPS: 59,
  /** Linux 6.5 */
  PASSPIDFD: 76,
  /** Linux 6.5 */
  PEERPIDFD: 77,
  /** Linux 6.16 */
  PASSRIGHTS: 83,
  /** Linux 6.17 */
  INQ: 84,
} as const;

/** Types of control messages at SOL_SOCKET. include/linux/socket.h */
export const SCM = { RIGHTS: 1, CREDENTIALS: 2, PIDFD: 4, INQ: 84 } as const;

/** Directions of shutdown(2): SHUT_RD, SHUT_WR, SHUT_RDWR. sys/socket.h */
export const SHUT = { read: 0, write: 1, both: 2 } as const;
