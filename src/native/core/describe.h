// What a descriptor refers to, asked of the kernel: fstat(2), SO_DOMAIN, SO_TYPE, SO_PROTOCOL,
// SO_ACCEPTCONN.
#pragma once

#include <cstdint>

#include "result.h"
#include "unique_fd.h"

namespace fdpass {

struct FdDescription {
  unsigned mode;   // st_mode: S_IFMT tells the kind of file
  uint64_t inode;  // st_ino: equal for all duplicates of a socket or a pipe
  uint64_t device;
  // The rest is for sockets; -1 otherwise.
  int domain = -1;
  int type = -1;
  int protocol = -1;
  int listening = -1;
};

Result<FdDescription> Describe(BorrowedFd fd);

}  // namespace fdpass
