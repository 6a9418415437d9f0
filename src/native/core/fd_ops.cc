#include "fd_ops.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace fdpass {

Result<UniqueFd> Duplicate(BorrowedFd from) {
  const int fd = ::fcntl(from.get(), F_DUPFD_CLOEXEC, 3);
  if (fd == -1) return SysError{errno, "fcntl"};
  return UniqueFd(fd);
}

void CloseAll(const int* fds, size_t count) {
  for (size_t begin = 0, end = 0; begin < count; begin = end) {
    for (end = begin + 1; end < count && fds[end] == fds[end - 1] + 1; end++) {
    }
    if (end - begin > 1 && SysCloseRange(fds[begin], fds[end - 1]) == 0) continue;
    for (size_t i = begin; i < end; i++) SysClose(fds[i]);
  }
}

Result<void> Redirect(BorrowedFd from, BorrowedFd to) {
  if (from.get() == to.get()) {
    // dup2(2) does nothing then, and leaves the close-on-exec flag set.
    if (::fcntl(to.get(), F_SETFD, 0) == -1) return SysError{errno, "dup2"};
    return {};
  }
  if (RetryOnInterrupt([&] { return ::dup2(from.get(), to.get()); }) == -1) {
    return SysError{errno, "dup2"};
  }
  return {};
}

Result<int> Poll(BorrowedFd fd, int events) {
  pollfd request{fd.get(), static_cast<short>(events), 0};
  if (RetryOnInterrupt([&] { return ::poll(&request, 1, 0); }) == -1)
    return SysError{errno, "poll"};
  return request.revents;
}

Result<int> QueuedBytes(BorrowedFd fd) {
  int bytes = 0;
  if (::ioctl(fd.get(), FIONREAD, &bytes) == -1) return SysError{errno, "ioctl"};
  return bytes;
}

Result<void> SetMode(BorrowedFd fd, unsigned mode) {
  if (::fchmod(fd.get(), mode) == -1) return SysError{errno, "fchmod"};
  return {};
}

Result<UniqueFd> LockFile(const char* path) {
  UniqueFd file(RetryOnInterrupt(
      [&] { return ::open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); }));
  if (!file.valid()) return SysError{errno, "open"};
  if (RetryOnInterrupt([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) == -1) {
    return SysError{errno, "flock"};
  }
  return file;
}

}  // namespace fdpass
