// Tests of core/socket_ops.h on unix sockets; those on TCP and UDP are in socket_ops_inet_test.cc.
#include "core/socket_ops.h"

#include <grp.h>
#include <sys/wait.h>

#include <vector>

#include "addresses.h"
#include "check.h"
#include "pipe.h"

using fdpass::BorrowedFd;
using fdpass::OpenSocket;
using fdpass::UniqueFd;
using fdpass::UnixAddress;

namespace {

UniqueFd ListenOn(const UnixAddress& address, int type, int backlog) {
  auto listener = MUST(OpenSocket(AF_UNIX, type));
  MUST(fdpass::Bind(listener.borrow(), address));
  MUST(fdpass::Listen(listener.borrow(), backlog));
  return listener;
}

void CheckFlags(const UniqueFd& socket) {
  CHECK(IsCloseOnExec(socket.get()));
  CHECK(IsNonBlocking(socket.get()));
}

}  // namespace

TEST("every new socket is close-on-exec and non-blocking") {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
    CheckFlags(MUST(OpenSocket(AF_UNIX, type)));
    const auto pair = MUST(fdpass::OpenPair(type));
    CheckFlags(pair.first);
    CheckFlags(pair.second);
  }
}

TEST("an accepted socket is close-on-exec and non-blocking, whatever the listener is") {
  const TempDir folder;
  const auto address = MUST(FromText(folder.path("socket")));
  const auto listener = ListenOn(address, SOCK_SEQPACKET, 1);
  ::fcntl(listener.get(), F_SETFL, 0);
  ::fcntl(listener.get(), F_SETFD, 0);
  const auto client = MUST(OpenSocket(AF_UNIX, SOCK_SEQPACKET));
  MUST(fdpass::Connect(client.borrow(), address));
  CheckFlags(MUST(fdpass::Accept(listener.borrow())));
}

TEST("a listener without a waiting client says EAGAIN") {
  const auto listener = ListenOn(UnixAddress(), SOCK_STREAM, 1);
  CHECK_FAILS(fdpass::Accept(listener.borrow()), EAGAIN, "accept");
}

TEST("what waits is accepted in batches, and an error only if nothing does") {
  const TempDir folder;
  const auto address = MUST(FromText(folder.path("socket")));
  const auto listener = ListenOn(address, SOCK_STREAM, 8);
  UniqueFd clients[3];
  for (UniqueFd& client : clients) {
    client = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
    MUST(fdpass::Connect(client.borrow(), address));
  }
  UniqueFd accepted[4];
  CHECK_EQ(MUST(fdpass::AcceptBatch(listener.borrow(), accepted, 2)), 2u);
  CheckFlags(accepted[0]);
  CheckFlags(accepted[1]);
  CHECK(!accepted[2].valid());
  CHECK_EQ(MUST(fdpass::AcceptBatch(listener.borrow(), accepted, 4)), 1u);
  CHECK_FAILS(fdpass::AcceptBatch(listener.borrow(), accepted, 4), EAGAIN, "accept");
}

TEST("both ends of a connection know the listener's address") {
  const TempDir folder;
  const std::string path = folder.path("socket");
  const auto listener = ListenOn(MUST(FromText(path)), SOCK_STREAM, 1);
  const auto client = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
  MUST(fdpass::Connect(client.borrow(), MUST(FromText(path))));
  const auto server = MUST(fdpass::Accept(listener.borrow()));
  CHECK_EQ(TextOf(MUST(fdpass::RemoteAddress<UnixAddress>(client.borrow()))), path);
  CHECK_EQ(TextOf(MUST(fdpass::LocalAddress<UnixAddress>(server.borrow()))), path);
  const auto unnamed = MUST(fdpass::RemoteAddress<UnixAddress>(server.borrow()));
  CHECK_EQ(unnamed.kind(), UnixAddress::Kind::kUnnamed);
}

TEST("connecting fails with the kernel's reason") {
  const TempDir folder;
  const auto address = MUST(FromText(folder.path("socket")));
  const auto client = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
  CHECK_FAILS(fdpass::Connect(client.borrow(), address), ENOENT, "connect");
  { const auto bound_once = ListenOn(address, SOCK_STREAM, 1); }
  CHECK_FAILS(fdpass::Connect(client.borrow(), address), ECONNREFUSED, "connect");
}

TEST("a full backlog says EAGAIN to the next client") {
  const TempDir folder;
  const auto address = MUST(FromText(folder.path("socket")));
  const auto listener = ListenOn(address, SOCK_STREAM, 0);
  const auto first = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
  const auto second = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
  MUST(fdpass::Connect(first.borrow(), address));
  CHECK_FAILS(fdpass::Connect(second.borrow(), address), EAGAIN, "connect");
}

TEST("a name in use is refused") {
  const TempDir folder;
  const auto address = MUST(FromText(folder.path("socket")));
  const auto listener = ListenOn(address, SOCK_STREAM, 1);
  const auto second = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
  CHECK_FAILS(fdpass::Bind(second.borrow(), address), EADDRINUSE, "bind");
}

TEST("the peer of a pair is this process") {
  const auto pair = MUST(fdpass::OpenPair(SOCK_STREAM));
  const auto peer = MUST(fdpass::PeerCredentials(pair.first.borrow()));
  CHECK_EQ(peer.pid, ::getpid());
  CHECK_EQ(peer.uid, ::getuid());
  CHECK_EQ(peer.gid, ::getgid());
}

TEST("the groups of the peer are this process's, however many") {
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<gid_t> many(100);
    for (size_t i = 0; i < many.size(); i++) many[i] = static_cast<gid_t>(1000 + i);
    if (::setgroups(many.size(), many.data()) == -1) many.resize(::getgroups(0, nullptr));
    const auto pair = fdpass::OpenPair(SOCK_STREAM);
    const auto groups = fdpass::PeerGroups(pair.value().first.borrow());
    ::_exit(groups.ok() && groups.value().size() == many.size() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
}

TEST("a cookie belongs to a socket, not to a descriptor") {
  const auto pair = MUST(fdpass::OpenPair(SOCK_STREAM));
  const UniqueFd copy(::fcntl(pair.first.get(), F_DUPFD_CLOEXEC, 3));
  const uint64_t cookie = MUST(fdpass::Cookie(pair.first.borrow()));
  CHECK_EQ(MUST(fdpass::Cookie(copy.borrow())), cookie);
  CHECK(MUST(fdpass::Cookie(pair.second.borrow())) != cookie);
}

TEST("a socket without a peer has nobody's credentials and address") {
  const auto socket = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
  CHECK_FAILS(fdpass::PeerCredentials(socket.borrow()), ENOTCONN, "getsockopt");
  CHECK_FAILS(fdpass::RemoteAddress<UnixAddress>(socket.borrow()), ENOTCONN, "getpeername");
  CHECK_FAILS(fdpass::PeerGroups(socket.borrow()), ENODATA, "getsockopt");
}

TEST("the peer's pidfd closes on exec, or the kernel is too old for it") {
  const auto pair = MUST(fdpass::OpenPair(SOCK_STREAM));
  const auto pidfd = fdpass::OpenPeerPidFd(pair.first.borrow());
  if (pidfd.ok()) {
    CHECK(IsCloseOnExec(pidfd.value().get()));
  } else {
    CHECK_FAILS(pidfd, ENOPROTOOPT, "getsockopt");
  }
}

TEST("after a shutdown for writing the peer reads the end") {
  const auto pair = MUST(fdpass::OpenPair(SOCK_STREAM));
  MUST(fdpass::Shutdown(pair.first.borrow(), SHUT_WR));
  char byte;
  CHECK_EQ(::read(pair.second.get(), &byte, 1), 0);
}

TEST("an option is read back as it was set, an unknown one is refused") {
  const auto pair = MUST(fdpass::OpenPair(SOCK_STREAM));
  const BorrowedFd socket = pair.first.borrow();
  CHECK_EQ(MUST(fdpass::GetOption(socket, SOL_SOCKET, SO_PASSCRED)), 0);
  MUST(fdpass::SetOption(socket, SOL_SOCKET, SO_PASSCRED, 1));
  CHECK_EQ(MUST(fdpass::GetOption(socket, SOL_SOCKET, SO_PASSCRED)), 1);
  CHECK_FAILS(fdpass::GetOption(socket, SOL_SOCKET, 9999), ENOPROTOOPT, "getsockopt");
  CHECK_FAILS(fdpass::SetOption(socket, SOL_SOCKET, 9999, 1), ENOPROTOOPT, "setsockopt");
}

TEST("every operation on what is not open says EBADF") {
  const BorrowedFd none(-1);
  CHECK_FAILS(fdpass::Bind(none, UnixAddress()), EBADF, "bind");
  CHECK_FAILS(fdpass::Connect(none, UnixAddress()), EBADF, "connect");
  CHECK_FAILS(fdpass::LocalAddress<UnixAddress>(none), EBADF, "getsockname");
  CHECK_FAILS(fdpass::Listen(none, 1), EBADF, "listen");
  CHECK_FAILS(fdpass::Accept(none), EBADF, "accept");
  CHECK_FAILS(fdpass::Shutdown(none, SHUT_RD), EBADF, "shutdown");
  CHECK_FAILS(fdpass::PeerCredentials(none), EBADF, "getsockopt");
  CHECK_FAILS(fdpass::OpenPeerPidFd(none), EBADF, "getsockopt");
}
