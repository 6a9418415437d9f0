// Tests of core/fd_ops.h.
#include "core/fd_ops.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <cstddef>

#include "check.h"
#include "pipe.h"
#include "temp_dir.h"

using fdpass::BorrowedFd;
using fdpass::Duplicate;
using fdpass::LockFile;
using fdpass::UniqueFd;

namespace {

// Runs `body` in a forked process and gives its exit status.
template <typename Body>
int InChild(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

mode_t ModeOf(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  return status.st_mode & 07777;
}

// From 400: numbers that nothing else has.
std::array<int, 6> OpenNumbers() {
  const Pipe pipe;
  const std::array<int, 6> numbers{400, 401, 402, 404, 409, 408};
  for (const int number : numbers) ::dup2(pipe.reader.get(), number);
  ::dup2(pipe.reader.get(), 403);  // somebody else's
  return numbers;
}

bool ClosesThoseAlone() {
  const auto numbers = OpenNumbers();
  fdpass::CloseAll(numbers.data(), numbers.size());
  for (const int number : numbers) {
    if (IsOpen(number)) return false;
  }
  return IsOpen(403);
}

// As a kernel before 5.9, and the seccomp(2) filters of old containers. For good.
void WithoutCloseRange() {
  std::array<sock_filter, 4> filter{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  sock_fprog program{filter.size(), filter.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

}  // namespace

TEST("many are closed, and none between them") {
  CHECK_EQ(InChild([] { return ClosesThoseAlone() ? 0 : 1; }), 0);
}

TEST("many are closed where there is no close_range()") {
  CHECK_EQ(InChild([] {
             WithoutCloseRange();
             const bool refused = fdpass::SysCloseRange(400, 401) == -1 && errno == ENOSYS;
             return refused && ClosesThoseAlone() ? 0 : 1;
           }),
           0);
}

TEST("a duplicate refers to the same thing and closes on exec") {
  const Pipe pipe;
  const auto copy = MUST(Duplicate(pipe.reader.borrow()));
  CHECK_EQ(InodeOf(copy.get()), InodeOf(pipe.reader.get()));
  CHECK(copy.get() != pipe.reader.get());
  CHECK(IsCloseOnExec(copy.get()));
}

TEST("a duplicate does not take the place of a closed stdin") {
  const Pipe pipe;
  const UniqueFd saved(::fcntl(0, F_DUPFD_CLOEXEC, 3));
  ::close(0);
  const auto copy = MUST(Duplicate(pipe.reader.borrow()));
  CHECK(copy.get() >= 3);
  if (saved.valid()) ::dup2(saved.get(), 0);
}

TEST("duplicating what is not open fails") {
  CHECK_FAILS(Duplicate(BorrowedFd(-1)), EBADF, "fcntl");
}

TEST("a redirected descriptor survives exec and what it was is closed") {
  Pipe from;
  Pipe to;
  MUST(fdpass::Redirect(from.reader.borrow(), to.writer.borrow()));
  CHECK_EQ(InodeOf(to.writer.get()), InodeOf(from.reader.get()));
  CHECK(!IsCloseOnExec(to.writer.get()));
  CHECK(to.HasNoWriter());
}

TEST("a descriptor redirected to itself survives exec") {
  const Pipe pipe;
  MUST(fdpass::Redirect(pipe.reader.borrow(), pipe.reader.borrow()));
  CHECK(!IsCloseOnExec(pipe.reader.get()));
}

TEST("redirecting what is not open fails") {
  const Pipe pipe;
  CHECK_FAILS(fdpass::Redirect(BorrowedFd(-1), pipe.reader.borrow()), EBADF, "dup2");
  CHECK_FAILS(fdpass::Redirect(BorrowedFd(-1), BorrowedFd(-1)), EBADF, "dup2");
}

TEST("a poll tells what is ready now, and an end unasked") {
  Pipe pipe;
  CHECK_EQ(MUST(fdpass::Poll(pipe.reader.borrow(), POLLIN)), 0);
  CHECK_EQ(MUST(fdpass::Poll(pipe.writer.borrow(), POLLIN | POLLOUT)), POLLOUT);
  CHECK_EQ(::write(pipe.writer.get(), "abc", 3), 3);
  CHECK_EQ(MUST(fdpass::Poll(pipe.reader.borrow(), POLLIN)), POLLIN);
  CHECK_EQ(MUST(fdpass::QueuedBytes(pipe.reader.borrow())), 3);
  pipe.writer.reset();
  CHECK_EQ(MUST(fdpass::Poll(pipe.reader.borrow(), 0)), POLLHUP);
}

TEST("bytes of a file are not queued, and nothing is in what is not open") {
  const TempDir folder;
  const auto file = MUST(LockFile(folder.path("file").c_str()));
  CHECK_EQ(MUST(fdpass::QueuedBytes(file.borrow())), 0);
  CHECK_FAILS(fdpass::QueuedBytes(BorrowedFd(-1)), EBADF, "ioctl");
}

TEST("a file takes the mode set through its descriptor") {
  const TempDir folder;
  const auto file = MUST(LockFile(folder.path("file").c_str()));
  MUST(fdpass::SetMode(file.borrow(), 0640));
  CHECK_EQ(ModeOf(file.get()), 0640u);
  CHECK_FAILS(fdpass::SetMode(BorrowedFd(-1), 0640), EBADF, "fchmod");
}

TEST("a lock file is made for its owner only and closes on exec") {
  const TempDir folder;
  const auto file = MUST(LockFile(folder.path("lock").c_str()));
  CHECK_EQ(ModeOf(file.get()), 0600u);
  CHECK(IsCloseOnExec(file.get()));
}

TEST("a lock is busy for another process as long as it is held") {
  const TempDir folder;
  const std::string path = folder.path("lock");
  const auto try_it = [&] { return LockFile(path.c_str()).error().code; };
  auto held = MUST(LockFile(path.c_str()));
  CHECK_EQ(InChild(try_it), EWOULDBLOCK);
  CHECK_FAILS(LockFile(path.c_str()), EWOULDBLOCK, "flock");
  held.reset();
  CHECK_EQ(InChild(try_it), 0);
}

TEST("a symbolic link in the place of a lock file is refused") {
  const TempDir folder;
  CHECK_EQ(::symlink(folder.path("target").c_str(), folder.path("lock").c_str()), 0);
  CHECK_FAILS(LockFile(folder.path("lock").c_str()), ELOOP, "open");
  CHECK(!std::filesystem::exists(folder.path("target")));
}

TEST("a lock file in a folder that is not there fails") {
  const TempDir folder;
  CHECK_FAILS(LockFile(folder.path("none/lock").c_str()), ENOENT, "open");
}
