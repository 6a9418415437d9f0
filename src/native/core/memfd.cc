#include "memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform.h"

namespace fdpass {

namespace {

// glibc has a function of that name since 2.27 only.
int MemfdCreate(const char* name, unsigned flags) {
  return static_cast<int>(::syscall(SYS_memfd_create, name, flags));
}

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

}  // namespace

Result<UniqueFd> CreateMemfd(const char* name) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = MemfdCreate(name, kFlags | kMfdNoExecSeal);
  if (fd == -1 && errno == EINVAL) fd = MemfdCreate(name, kFlags);  // before Linux 6.3
  if (fd == -1) return SysError{errno, "memfd_create"};
  return UniqueFd(fd);
}

Result<void> Seal(BorrowedFd memfd) {
  if (::fcntl(memfd.get(), F_ADD_SEALS, kSeals) == -1) return SysError{errno, "fcntl"};
  return {};
}

bool IsSealed(BorrowedFd fd) {
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  return seals != -1 && (seals & kSeals) == kSeals;
}

}  // namespace fdpass
