// Tests of the sending half of core/message_io.h.
#include <fcntl.h>

#include <csignal>

#include "addresses.h"
#include "core/socket_ops.h"
#include "mailbox.h"

using fdpass::OpenPair;
using fdpass::OpenSocket;
using fdpass::UniqueFd;

namespace {

constexpr size_t kMessageBytes = 1000;

// As small as the kernel allows: SOCK_MIN_SNDBUF, about 4.5 KiB.
void ShrinkSendBuffer(const UniqueFd& socket) {
  MUST(fdpass::SetOption(socket.borrow(), SOL_SOCKET, SO_SNDBUF, 1));
}

// `count` messages whose bytes all say which one it is, packed for SendBatch().
struct Batch {
  explicit Batch(size_t count, size_t size = kMessageBytes)
      : sizes(count, static_cast<uint32_t>(size)) {
    for (size_t i = 0; i < count; i++) bytes.insert(bytes.end(), size, static_cast<uint8_t>(i));
  }

  fdpass::Result<size_t> Send(const UniqueFd& socket, size_t from = 0,
                              const fdpass::UnixAddress* to = nullptr) const {
    return fdpass::SendBatch(socket.borrow(), bytes.data() + from * sizes[0], sizes.data() + from,
                             sizes.size() - from, to);
  }

  std::vector<uint8_t> bytes;
  std::vector<uint32_t> sizes;
};

}  // namespace

TEST("a message to a path or an abstract name arrives with the sender's exact name") {
  const TempDir folder;
  for (const auto& prefix : {std::string(), std::string(1, '\0')}) {
    const auto to = MUST(FromText(prefix + folder.path("to")));
    const auto from = MUST(FromText(prefix + folder.path("from")));
    const auto receiver = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
    const auto sender = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
    MUST(fdpass::Bind(receiver.borrow(), to));
    MUST(fdpass::Bind(sender.borrow(), from));
    CHECK_EQ(MUST(SendText(sender, "hello", &to)), 5u);
    Mailbox mailbox;
    CHECK_EQ(MUST(mailbox.Receive(receiver)), 1u);
    CHECK_EQ(mailbox.text(), "hello");
    CHECK_EQ(TextOf(mailbox.message().from), TextOf(from));
  }
}

TEST("sending fails with the kernel's reason") {
  const TempDir folder;
  const auto to = MUST(FromText(folder.path("to")));
  const auto sender = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
  CHECK_FAILS(SendText(sender, "x", &to), ENOENT, "sendmsg");
  CHECK_FAILS(SendText(sender, "x"), ENOTCONN, "sendmsg");
  {
    const auto bound_once = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
    MUST(fdpass::Bind(bound_once.borrow(), to));
  }
  CHECK_FAILS(SendText(sender, "x", &to), ECONNREFUSED, "sendmsg");
  CHECK_FAILS(SendText(UniqueFd(), "x"), EBADF, "sendmsg");
  CHECK_FAILS(Batch(2).Send(UniqueFd()), EBADF, "sendmmsg");
}

TEST("a message larger than the send buffer is EMSGSIZE") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  ShrinkSendBuffer(pair.first);
  CHECK_FAILS(SendText(pair.first, std::string(65536, 'x')), EMSGSIZE, "sendmsg");
  CHECK_FAILS(Batch(1, 65536).Send(pair.first), EMSGSIZE, "sendmmsg");
}

TEST("a full peer is EAGAIN, also on a blocking socket") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  ShrinkSendBuffer(pair.first);
  ::fcntl(pair.first.get(), F_SETFL, 0);
  auto sent = SendText(pair.first, std::string(kMessageBytes, 'x'));
  while (sent.ok()) sent = SendText(pair.first, std::string(kMessageBytes, 'x'));
  CHECK_FAILS(sent, EAGAIN, "sendmsg");
}

TEST("a closed peer is EPIPE and no signal") {
  auto pair = MUST(OpenPair(SOCK_STREAM));
  pair.second.reset();
  CHECK(std::signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  CHECK_FAILS(SendText(pair.first, "x"), EPIPE, "sendmsg");
}

TEST("an unopened descriptor among those to pass is EBADF and nothing is sent") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  CHECK_FAILS(SendText(pair.first, "x", nullptr, {pair.first.get(), -1}), EBADF, "sendmsg");
  CHECK_FAILS(Mailbox().Receive(pair.second), EAGAIN, "recvmsg");
}

TEST("a batch stops at a full peer and tells how far it came") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  ShrinkSendBuffer(pair.first);
  const Batch batch(20);
  const size_t sent = MUST(batch.Send(pair.first));
  CHECK(sent > 0 && sent < 20);
  CHECK_FAILS(batch.Send(pair.first, sent), EAGAIN, "sendmmsg");
  Mailbox mailbox(fdpass::kMaxBatch, kMessageBytes);
  CHECK_EQ(MUST(mailbox.Receive(pair.second, {fdpass::kMaxBatch})), sent);
  for (size_t i = 0; i < sent; i++) {
    CHECK_EQ(mailbox.text(i), std::string(kMessageBytes, static_cast<char>(i)));
  }
}

TEST("a batch of 40 goes and comes as 32 and 8, in order") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  const Batch batch(40, 3);
  CHECK_EQ(MUST(batch.Send(pair.first)), 32u);
  CHECK_EQ(MUST(batch.Send(pair.first, 32)), 8u);
  Mailbox mailbox(40);
  CHECK_EQ(MUST(mailbox.Receive(pair.second, {40})), 32u);
  CHECK_EQ(mailbox.text(0), std::string(3, '\0'));
  CHECK_EQ(mailbox.text(31), std::string(3, 31));
  CHECK_EQ(MUST(mailbox.Receive(pair.second, {40})), 8u);
  CHECK_EQ(mailbox.text(7), std::string(3, 39));
}

TEST("a batch goes to the destination given") {
  const TempDir folder;
  const auto to = MUST(FromText(folder.path("to")));
  const auto receiver = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
  const auto sender = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
  MUST(fdpass::Bind(receiver.borrow(), to));
  CHECK_EQ(MUST(Batch(3, 2).Send(sender, 0, &to)), 3u);
  Mailbox mailbox(4);
  CHECK_EQ(MUST(mailbox.Receive(receiver, {4})), 3u);
  CHECK_EQ(mailbox.text(2), "\2\2");
}
