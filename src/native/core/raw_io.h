// recvmsg(2) with every argument the caller's own and every result told, for those who need the
// call itself. It does not wait.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ancillary.h"
#include "result.h"
#include "unique_fd.h"
#include "unix_address.h"

namespace fdpass {

// A control message that is neither SCM_RIGHTS, SCM_CREDENTIALS nor SCM_PIDFD.
struct OtherControl {
  int level;
  int type;
  std::vector<uint8_t> data;
};

struct RawReceived {
  size_t size;  // as recvmsg(2) gave it: with MSG_TRUNC as an input flag the real size
  int flags;    // msg_flags without MSG_CMSG_CLOEXEC
  UnixAddress from;
  std::vector<UniqueFd> fds;
  ReceivedControl control;
  std::vector<OtherControl> others;
};

// `control_size` bytes of control buffer: none, and descriptors that come are closed.
Result<RawReceived> ReceiveRaw(BorrowedFd socket, iovec* buffers, size_t buffer_count,
                               size_t control_size, int flags);

}  // namespace fdpass
