// Operations that any descriptor allows, whatever it refers to.
#pragma once

#include <cstddef>

#include "result.h"
#include "unique_fd.h"

namespace fdpass {

// F_DUPFD_CLOEXEC from 3: a duplicate never lands on stdin, stdout or stderr. fcntl(2)
Result<UniqueFd> Duplicate(BorrowedFd from);

// close(2) of each, which are the caller's: it is their owner no more. Numbers that follow each
// other, as those of one message do, take one system call: close_range(2), where the kernel has it.
// Errors cannot be acted on.
void CloseAll(const int* fds, size_t count);

// Makes `to` refer to what `from` refers to and survive exec; what `to` was before is closed.
// dup2(2)
Result<void> Redirect(BorrowedFd from, BorrowedFd to);

// Which of `events` (POLLIN and so on) are so now, besides POLLERR, POLLHUP and POLLNVAL. Never
// waits. poll(2)
Result<int> Poll(BorrowedFd fd, int events);

Result<int> QueuedBytes(BorrowedFd fd);  // FIONREAD, ioctl(2)

Result<void> SetMode(BorrowedFd fd, unsigned mode);  // fchmod(2)

// Opens (creates 0600) the file and takes an exclusive flock(2) on it without waiting:
// EWOULDBLOCK while another process holds it. The lock lives as long as the descriptor.
// A symbolic link in the last component is refused (ELOOP).
Result<UniqueFd> LockFile(const char* path);

}  // namespace fdpass
