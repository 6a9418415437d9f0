// Pipe: something to pass whose identity is its inode and whose last writer is noticed.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "core/unique_fd.h"

struct Pipe {
  fdpass::UniqueFd reader;
  fdpass::UniqueFd writer;

  Pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1) std::abort();
    reader.reset(fds[0]);
    writer.reset(fds[1]);
  }

  // No copy of the writing end is open in any process or in flight.
  bool HasNoWriter() const {
    pollfd question{reader.get(), POLLIN, 0};
    return ::poll(&question, 1, 0) == 1 && (question.revents & POLLHUP) != 0;
  }
};

inline ino_t InodeOf(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

inline bool IsCloseOnExec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }
inline bool IsNonBlocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }
inline bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) != -1; }
