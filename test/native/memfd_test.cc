// Tests of core/memfd.h.
#include "core/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

using fdpass::BorrowedFd;
using fdpass::UniqueFd;

TEST("a memfd is empty, writable, close-on-exec and not sealed") {
  const UniqueFd memfd = MUST(fdpass::CreateMemfd("test"));
  CHECK_EQ(::lseek(memfd.get(), 0, SEEK_END), 0);
  CHECK_EQ(::write(memfd.get(), "abc", 3), 3);
  CHECK((::fcntl(memfd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(!fdpass::IsSealed(memfd.borrow()));
}

TEST("a sealed memfd is read, and neither written, resized, mapped for writing nor sealed again") {
  const UniqueFd memfd = MUST(fdpass::CreateMemfd("test"));
  CHECK_EQ(::write(memfd.get(), "abc", 3), 3);
  MUST(fdpass::Seal(memfd.borrow()));
  CHECK(fdpass::IsSealed(memfd.borrow()));
  char text[3];
  CHECK_EQ(::pread(memfd.get(), text, 3, 0), 3);
  CHECK_EQ(::pwrite(memfd.get(), "x", 1, 0), -1);
  CHECK_EQ(::ftruncate(memfd.get(), 1), -1);
  CHECK_EQ(::ftruncate(memfd.get(), 10), -1);
  CHECK(::mmap(nullptr, 3, PROT_WRITE, MAP_SHARED, memfd.get(), 0) == MAP_FAILED);
  CHECK_FAILS(fdpass::Seal(memfd.borrow()), EPERM, "fcntl");
}

TEST("what is no memfd is not sealed, and cannot be") {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  CHECK(!fdpass::IsSealed(null.borrow()));
  CHECK_FAILS(fdpass::Seal(null.borrow()), EINVAL, "fcntl");
  CHECK(!fdpass::IsSealed(BorrowedFd(-1)));
}
