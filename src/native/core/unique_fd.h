// Ownership of file descriptors: UniqueFd owns and closes, BorrowedFd only uses.
#pragma once

#include <utility>

#include "sys_calls.h"

namespace fdpass {

class BorrowedFd {
 public:
  explicit constexpr BorrowedFd(int fd) : fd_(fd) {}
  constexpr int get() const { return fd_; }

 private:
  int fd_;
};

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ != -1; }
  BorrowedFd borrow() const { return BorrowedFd(fd_); }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

  // close(2) is not repeated on EINTR: the number is already free and may be somebody else's.
  void reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old != -1) SysClose(old);
  }

 private:
  int fd_ = -1;
};

}  // namespace fdpass

// An owned descriptor is closed by its owner only.
int close(const fdpass::UniqueFd&) = delete;
int close(fdpass::BorrowedFd) = delete;
