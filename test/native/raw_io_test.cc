// Tests of core/raw_io.h, and of what a message says of its sender.
#include "core/raw_io.h"

#include <sys/wait.h>

#include <cstring>

#include "core/platform.h"
#include "core/socket_ops.h"
#include "mailbox.h"
#include "pipe.h"

using fdpass::OpenPair;
using fdpass::RawReceived;
using fdpass::UniqueFd;

namespace {

struct Buffers {
  char bytes[3][4] = {};
  iovec vectors[3] = {{bytes[0], 2}, {bytes[1], 2}, {bytes[2], 4}};
};

fdpass::Result<RawReceived> Receive(const UniqueFd& socket, size_t control_size, int flags = 0) {
  Buffers buffers;
  return fdpass::ReceiveRaw(socket.borrow(), buffers.vectors, 3, control_size, flags);
}

fdpass::Result<size_t> SendAs(const UniqueFd& socket, const ucred& credentials) {
  iovec buffer{const_cast<char*>("x"), 1};
  fdpass::OutgoingMessage message;
  message.buffers = &buffer;
  message.buffer_count = 1;
  message.credentials = &credentials;
  return fdpass::SendMessage(socket.borrow(), message);
}

bool Set(const UniqueFd& socket, int option) {
  return fdpass::SetOption(socket.borrow(), SOL_SOCKET, option, 1).ok();
}

}  // namespace

TEST("a message fills one buffer after the other") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(SendText(pair.first, "abcde"));
  Buffers buffers;
  const auto received = MUST(fdpass::ReceiveRaw(pair.second.borrow(), buffers.vectors, 3, 0, 0));
  CHECK_EQ(received.size, 5u);
  CHECK_EQ(std::memcmp(buffers.bytes[1], "cd", 2), 0);
  CHECK_EQ(buffers.bytes[2][0], 'e');
  CHECK(received.fds.empty());
}

TEST("an empty queue says EAGAIN instead of waiting") {
  const auto pair = MUST(OpenPair(SOCK_STREAM));
  ::fcntl(pair.first.get(), F_SETFL, 0);
  CHECK_FAILS(Receive(pair.first, 0), EAGAIN, "recvmsg");
}

TEST("a packet that is too long is cut, and its real size is told if asked") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  for (const int flags : {0, static_cast<int>(MSG_TRUNC)}) {
    MUST(SendText(pair.first, "0123456789"));
    const auto received = MUST(Receive(pair.second, 0, flags));
    CHECK_EQ(received.size, flags == 0 ? 8u : 10u);
    CHECK((received.flags & MSG_TRUNC) != 0);
  }
}

TEST("received descriptors are owned, each peek makes its own") {
  Pipe pipe;
  const auto pair = MUST(OpenPair(SOCK_STREAM));
  MUST(SendText(pair.first, "x", nullptr, {pipe.writer.get()}));
  pipe.writer.reset();
  {
    const auto peeked = MUST(Receive(pair.second, 64, MSG_PEEK));
    const auto received = MUST(Receive(pair.second, 64));
    CHECK_EQ(received.fds.size(), 1u);
    CHECK(IsCloseOnExec(received.fds[0].get()));
    CHECK(received.fds[0].get() != peeked.fds[0].get());
    CHECK(!pipe.HasNoWriter());
  }
  CHECK(pipe.HasNoWriter());
}

TEST("without room for control data descriptors are closed, and that is told") {
  Pipe pipe;
  const auto pair = MUST(OpenPair(SOCK_STREAM));
  MUST(SendText(pair.first, "x", nullptr, {pipe.writer.get()}));
  pipe.writer.reset();
  const auto received = MUST(Receive(pair.second, 0));
  CHECK((received.flags & MSG_CTRUNC) != 0);
  CHECK(pipe.HasNoWriter());
}

TEST("control buffers of every size are safe") {
  for (size_t size = 0; size < 80; size++) {
    const Pipe pipe;
    const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
    CHECK(Set(pair.second, SO_PASSCRED));
    CHECK(Set(pair.second, SO_TIMESTAMPNS));
    MUST(SendText(pair.first, "x", nullptr, {pipe.writer.get(), pipe.reader.get()}));
    const auto received = MUST(Receive(pair.second, size));
    CHECK(received.fds.size() <= 2);
  }
}

TEST("a control message without a field of its own comes as it is") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  CHECK(Set(pair.second, SO_TIMESTAMPNS));
  MUST(SendText(pair.first, "x"));
  const auto received = MUST(Receive(pair.second, 128));
  CHECK_EQ(received.others.size(), 1u);
  CHECK_EQ(received.others[0].level, SOL_SOCKET);
  CHECK_EQ(received.others[0].type, SCM_TIMESTAMPNS);
  CHECK_EQ(received.others[0].data.size(), sizeof(timespec));
}

TEST("own credentials can be sent, and come beside descriptors") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  CHECK(Set(pair.second, SO_PASSCRED));
  MUST(SendAs(pair.first, {::getpid(), ::getuid(), ::getgid()}));
  const auto received = MUST(Receive(pair.second, 128));
  CHECK_EQ(received.control.credentials.value_or(ucred{}).pid, ::getpid());
}

TEST("credentials of somebody else are refused without privilege, and nothing is sent") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(2);
    const auto sent = SendAs(pair.first, {::getppid(), ::getuid(), ::getgid()});
    ::_exit(!sent.ok() && sent.error().code == EPERM ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  CHECK_FAILS(Receive(pair.second, 0), EAGAIN, "recvmsg");
}

TEST("a pidfd of the sender is owned and closes on exec, or the kernel is too old for it") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  if (!Set(pair.second, fdpass::kSoPassPidFd)) return;
  MUST(SendText(pair.first, "x"));
  const auto received = MUST(Receive(pair.second, 128));
  CHECK(received.control.pidfd.valid());
  CHECK(IsCloseOnExec(received.control.pidfd.get()));
}

TEST("what a stream peer sent before it reset the connection comes before the reset") {
  auto pair = MUST(OpenPair(SOCK_STREAM));
  MUST(SendText(pair.first, "never read"));
  MUST(SendText(pair.second, "reply"));
  pair.second.reset();
  Mailbox mailbox;
  CHECK_EQ(MUST(mailbox.Receive(pair.first)), 1u);
  CHECK_EQ(mailbox.text(), "reply");
  CHECK_FAILS(mailbox.Receive(pair.first), ECONNRESET, "recvmsg");
}
