// Tests of core/describe.h.
#include "core/describe.h"

#include <netinet/in.h>

#include "addresses.h"
#include "check.h"
#include "core/fd_ops.h"
#include "core/socket_ops.h"
#include "pipe.h"

using fdpass::BorrowedFd;
using fdpass::Describe;

TEST("a unix socket tells its domain and type and that it does not listen") {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    const auto pair = MUST(fdpass::OpenPair(type));
    const auto description = MUST(Describe(pair.first.borrow()));
    CHECK(S_ISSOCK(description.mode));
    CHECK_EQ(description.domain, AF_UNIX);
    CHECK_EQ(description.type, type);
    CHECK_EQ(description.protocol, 0);
    CHECK_EQ(description.listening, 0);
  }
}

TEST("a listening socket tells so") {
  const TempDir folder;
  const auto socket = MUST(fdpass::OpenSocket(AF_UNIX, SOCK_SEQPACKET));
  MUST(fdpass::Bind(socket.borrow(), MUST(FromText(folder.path("socket")))));
  MUST(fdpass::Listen(socket.borrow(), 1));
  CHECK_EQ(MUST(Describe(socket.borrow())).listening, 1);
}

TEST("a TCP socket tells its protocol") {
  const auto socket = MUST(fdpass::OpenSocket(AF_INET, SOCK_STREAM));
  const auto description = MUST(Describe(socket.borrow()));
  CHECK_EQ(description.domain, AF_INET);
  CHECK_EQ(description.protocol, IPPROTO_TCP);
}

TEST("duplicates have the same inode and device, other sockets another inode") {
  const auto pair = MUST(fdpass::OpenPair(SOCK_STREAM));
  const auto copy = MUST(fdpass::Duplicate(pair.first.borrow()));
  const auto first = MUST(Describe(pair.first.borrow()));
  const auto again = MUST(Describe(copy.borrow()));
  CHECK_EQ(again.inode, first.inode);
  CHECK_EQ(again.device, first.device);
  CHECK(MUST(Describe(pair.second.borrow())).inode != first.inode);
}

TEST("a pipe and a file tell their kind and nothing of sockets") {
  const TempDir folder;
  const Pipe pipe;
  const auto file = MUST(fdpass::LockFile(folder.path("file").c_str()));
  const auto of_pipe = MUST(Describe(pipe.reader.borrow()));
  const auto of_file = MUST(Describe(file.borrow()));
  CHECK(S_ISFIFO(of_pipe.mode));
  CHECK(S_ISREG(of_file.mode));
  CHECK_EQ(of_file.inode, InodeOf(file.get()));
  CHECK_EQ(of_pipe.domain, -1);
  CHECK_EQ(of_file.listening, -1);
}

TEST("the O_PATH descriptor of a socket file tells its kind and nothing else") {
  const TempDir folder;
  const auto socket = MUST(fdpass::OpenSocket(AF_UNIX, SOCK_STREAM));
  MUST(fdpass::Bind(socket.borrow(), MUST(FromText(folder.path("socket")))));
  const fdpass::UniqueFd path(::open(folder.path("socket").c_str(), O_PATH | O_CLOEXEC));
  const auto description = MUST(Describe(path.borrow()));
  CHECK(S_ISSOCK(description.mode));
  CHECK_EQ(description.domain, -1);
  CHECK_EQ(description.listening, -1);
}

TEST("describing what is not open fails") { CHECK_FAILS(Describe(BorrowedFd(-1)), EBADF, "fstat"); }
