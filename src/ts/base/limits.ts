// Every number that the kernel or a measurement gave us, with its origin.

/** SCM_MAX_FD of include/net/scm.h: descriptors in one message. */
export const MAX_FDS_PER_MESSAGE = 253;

/** sun_path of unix(7) has 108 bytes: a path needs its NUL there, an abstract name its leading NUL. */
export const MAX_ADDRESS_BYTES = 107;

/** kMaxBatch of core/message_io.h. */
export const MAX_BATCH = 32;

/** Bytes of one received message unless `maxBytes` says otherwise: above net.core.wmem_default (212992). */
export const DEFAULT_MAX_BYTES = 256 * 1024;

/** Largest `maxBytes`: a slab of MAX_BATCH slots stays below 128 MiB of address space. */
export const MAX_MAX_BYTES = 4 * 1024 * 1024;

/** net.ServerOptions' own default backlog; the kernel cuts it to net.core.somaxconn. */
export const DEFAULT_BACKLOG = 511;

/** Bytes that one socket keeps for a full peer before send() rejects. Ten default socket buffers. */
export const MAX_QUEUED_BYTES = 2 * 1024 * 1024;

/** Messages that wait for a full peer when `writableNeedDrain` turns true. */
export const DEFAULT_HIGH_WATER_MARK = 64;

/** Messages of all sizes that one socket keeps for a full peer before send() rejects. */
export const MAX_QUEUED_MESSAGES = 1024;

/** setTimeout() turns anything above this into 1 ms. */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;
