// Tests of core/message_io.h: descriptors and credentials that go with a message.
#include <sys/wait.h>

#include "core/socket_ops.h"
#include "mailbox.h"
#include "pipe.h"

using fdpass::OpenPair;
using fdpass::UniqueFd;

namespace {

constexpr size_t kAll = fdpass::kMaxFdsPerMessage;
constexpr fdpass::Inbox::Options kWithCredentials{1, {0, true, false, false}};

fdpass::Inbox::Options WithFds(size_t max_fds, size_t max_messages = 1) {
  return {max_messages, {max_fds, false, false, false}};
}

void PassCredentials(const UniqueFd& socket) {
  MUST(fdpass::SetOption(socket.borrow(), SOL_SOCKET, SO_PASSCRED, 1));
}

}  // namespace

TEST("0, 1, 2 and 253 descriptors arrive as sent, close-on-exec") {
  const Pipe pipe;
  for (const size_t count : {size_t{0}, size_t{1}, size_t{2}, kAll}) {
    const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
    MUST(SendText(pair.first, "x", nullptr, std::vector<int>(count, pipe.reader.get())));
    Mailbox mailbox;
    CHECK_EQ(MUST(mailbox.Receive(pair.second, WithFds(kAll))), 1u);
    CHECK_EQ(mailbox.message().control.fd_count, count);
    CHECK(!mailbox.message().control.truncated);
    for (size_t i = 0; i < count; i++) {
      const auto fd = mailbox.TakeFd(i);
      CHECK_EQ(InodeOf(fd.get()), InodeOf(pipe.reader.get()));
      CHECK(IsCloseOnExec(fd.get()));
    }
  }
}

TEST("254 descriptors are refused and nothing is sent") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  const std::vector<int> fds(254, pair.first.get());
  CHECK_FAILS(SendText(pair.first, "x", nullptr, fds), EINVAL, "sendmsg");
  CHECK_FAILS(Mailbox().Receive(pair.second), EAGAIN, "recvmsg");
}

TEST("room for one descriptor keeps one of two and closes the other") {
  Pipe kept;
  Pipe closed;
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(SendText(pair.first, "x", nullptr, {kept.writer.get(), closed.writer.get()}));
  closed.writer.reset();
  Mailbox mailbox;
  CHECK_EQ(MUST(mailbox.Receive(pair.second, WithFds(1))), 1u);
  CHECK_EQ(mailbox.message().control.fd_count, 1u);
  CHECK(mailbox.message().control.truncated);
  CHECK(closed.HasNoWriter());
  CHECK_EQ(InodeOf(mailbox.TakeFd(0).get()), InodeOf(kept.writer.get()));
}

TEST("control data that the kernel cut off is told") {
  Pipe pipe;
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(SendText(pair.first, "x", nullptr, std::vector<int>(5, pipe.writer.get())));
  pipe.writer.reset();
  Mailbox mailbox;
  MUST(mailbox.Receive(pair.second, WithFds(2)));
  CHECK_EQ(mailbox.message().control.fd_count, 2u);
  CHECK(mailbox.message().control.truncated);
}

TEST("room for no descriptor takes none and closes all") {
  Pipe pipe;
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(SendText(pair.first, "x", nullptr, {pipe.writer.get()}));
  pipe.writer.reset();
  Mailbox mailbox;
  MUST(mailbox.Receive(pair.second));
  CHECK_EQ(mailbox.text(), "x");
  CHECK_EQ(mailbox.message().control.fd_count, 0u);
  CHECK(mailbox.message().control.truncated);
  CHECK(pipe.HasNoWriter());
}

TEST("room kept for credentials does not let more descriptors in") {
  Pipe pipe;
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(SendText(pair.first, "x", nullptr, std::vector<int>(4, pipe.writer.get())));
  pipe.writer.reset();
  Mailbox mailbox;
  MUST(mailbox.Receive(pair.second, {1, 1, true, true}));
  CHECK_EQ(mailbox.message().control.fd_count, 1u);
  CHECK(mailbox.message().control.truncated);
}

TEST("descriptors that nobody took are closed by the next call") {
  Pipe pipe;
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(SendText(pair.first, "x", nullptr, {pipe.writer.get()}));
  pipe.writer.reset();
  Mailbox mailbox;
  MUST(mailbox.Receive(pair.second, WithFds(1)));
  CHECK(!pipe.HasNoWriter());
  CHECK_FAILS(mailbox.Receive(pair.second, WithFds(1)), EAGAIN, "recvmsg");
  CHECK(pipe.HasNoWriter());
}

TEST("descriptors of a batch belong to their messages, also behind one with too many") {
  const Pipe pipe;
  const int a = pipe.reader.get();
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(SendText(pair.first, "too many", nullptr, {a, a, a}));
  MUST(SendText(pair.first, "none"));
  MUST(SendText(pair.first, "one", nullptr, {pair.first.get()}));
  Mailbox mailbox(4);
  CHECK_EQ(MUST(mailbox.Receive(pair.second, WithFds(1, 4))), 3u);
  CHECK_EQ(mailbox.message(0).control.fd_count, 1u);
  CHECK_EQ(mailbox.message(1).control.fd_count, 0u);
  CHECK_EQ(mailbox.message(2).control.fd_count, 1u);
  CHECK(!mailbox.message(2).control.truncated);
  CHECK_EQ(InodeOf(mailbox.TakeFd(mailbox.message(0).first_fd).get()), InodeOf(a));
  const auto last = mailbox.TakeFd(mailbox.message(2).first_fd);
  CHECK_EQ(InodeOf(last.get()), InodeOf(pair.first.get()));
}

TEST("descriptors, credentials and the sign of life fit one message") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  PassCredentials(pair.second);
  MUST(fdpass::EnableEndDetection(pair.second.borrow()));
  MUST(SendText(pair.first, "", nullptr, std::vector<int>(kAll, pair.first.get())));
  Mailbox mailbox;
  CHECK_EQ(MUST(mailbox.Receive(pair.second, {1, {kAll, true, false, true}})), 1u);
  CHECK_EQ(mailbox.message().control.fd_count, kAll);
  CHECK(!mailbox.message().control.truncated);
  CHECK(mailbox.message().control.credentials.has_value());
}

TEST("credentials are those of the process that sent") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  PassCredentials(pair.second);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(SendText(pair.first, "x").ok() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  Mailbox mailbox;
  CHECK_EQ(MUST(mailbox.Receive(pair.second, kWithCredentials)), 1u);
  const auto credentials = mailbox.message().control.credentials.value_or(ucred{});
  CHECK_EQ(credentials.pid, child);
  CHECK_EQ(credentials.uid, ::getuid());
  CHECK_EQ(credentials.gid, ::getgid());
}

TEST("a message queued before SO_PASSCRED has nobody's credentials") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  MUST(SendText(pair.first, "early"));
  PassCredentials(pair.second);
  MUST(SendText(pair.first, "late"));
  Mailbox mailbox;
  MUST(mailbox.Receive(pair.second, kWithCredentials));
  CHECK_EQ(mailbox.text(), "early");
  CHECK(!mailbox.message().control.credentials.has_value());
  MUST(mailbox.Receive(pair.second, kWithCredentials));
  CHECK(mailbox.message().control.credentials.has_value());
}

TEST("a message has no credentials and no control data unless asked") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  MUST(SendText(pair.first, "x"));
  Mailbox mailbox;
  MUST(mailbox.Receive(pair.second));
  CHECK(!mailbox.message().control.credentials.has_value());
  CHECK(!mailbox.message().control.any);
}
