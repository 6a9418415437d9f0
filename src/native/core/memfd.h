// Files without a name that nobody can change any more. memfd_create(2), F_ADD_SEALS of fcntl(2)
#pragma once

#include "result.h"
#include "unique_fd.h"

namespace fdpass {

// Empty, close-on-exec, not executable where the kernel knows that (Linux 6.3). `name` is for /proc
// only.
Result<UniqueFd> CreateMemfd(const char* name);

// From here its size and content stay as they are, for everyone, and no seal can be added or
// removed.
Result<void> Seal(BorrowedFd memfd);

// False for any file that somebody can still change, of whatever kind.
bool IsSealed(BorrowedFd fd);

}  // namespace fdpass
