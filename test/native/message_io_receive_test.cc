// Tests of the receiving half of core/message_io.h: sizes, names, the end. Descriptors and
// credentials have their own file.
#include <fcntl.h>

#include "addresses.h"
#include "core/socket_ops.h"
#include "mailbox.h"

using fdpass::OpenPair;
using fdpass::UniqueFd;

namespace {

constexpr fdpass::Inbox::Options kWithEnd{4, {0, false, false, true}};

// A receiver, and two who send to it: one with a name of all 108 bytes, one without.
struct Scene {
  TempDir folder;
  fdpass::UnixAddress to = MUST(FromText(folder.path("to")));
  UniqueFd receiver = MUST(fdpass::OpenSocket(AF_UNIX, SOCK_DGRAM));
  UniqueFd named = MUST(fdpass::OpenSocket(AF_UNIX, SOCK_DGRAM));
  UniqueFd unnamed = MUST(fdpass::OpenSocket(AF_UNIX, SOCK_DGRAM));
  std::string path;

  Scene() {
    MUST(fdpass::Bind(receiver.borrow(), to));
    path = BindToPathOf108Bytes(named.borrow(), folder);
  }
};

}  // namespace

TEST("a message larger than its slot tells its real size") {
  for (const int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
    const auto pair = MUST(OpenPair(type));
    MUST(SendText(pair.first, std::string(100, 'x')));
    MUST(SendText(pair.first, "next"));
    Mailbox mailbox(2, 10);
    CHECK_EQ(MUST(mailbox.Receive(pair.second, {2})), 2u);
    CHECK_EQ(mailbox.message(0).size, 10u);
    CHECK_EQ(mailbox.message(0).real_size, 100u);
    CHECK_EQ(mailbox.text(0), std::string(10, 'x'));
    CHECK_EQ(mailbox.text(1), "next");
    CHECK_EQ(mailbox.message(1).real_size, 4u);
  }
}

TEST("a message that fills its slot exactly is whole") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  MUST(SendText(pair.first, "0123456789"));
  Mailbox mailbox(1, 10);
  CHECK_EQ(MUST(mailbox.Receive(pair.second)), 1u);
  CHECK_EQ(mailbox.message().size, 10u);
  CHECK_EQ(mailbox.message().real_size, 10u);
}

TEST("messages go right to the caller's memory, and whole to their slot if they do not fit there") {
  for (const int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
    const auto pair = MUST(OpenPair(type));
    for (const char* text : {"abcd", "0123456789", "", "xyz", "0123456789abcdef"}) {
      MUST(SendText(pair.first, text));
    }
    Mailbox mailbox(5, 12);
    char memory[5 * 4 + 1] = "....................";
    fdpass::Inbox::Options options{5};
    options.direct = reinterpret_cast<uint8_t*>(memory);
    options.direct_size = 4;
    CHECK_EQ(MUST(mailbox.Receive(pair.second, options)), 5u);
    CHECK_EQ(std::string(memory), "abcd0123....xyz.0123");
    const bool direct[] = {true, false, true, true, false};
    for (size_t i = 0; i < 5; i++) CHECK_EQ(mailbox.message(i).direct, direct[i]);
    CHECK_EQ(mailbox.text(1), "0123456789");
    CHECK_EQ(mailbox.text(4), "0123456789ab");
    CHECK_EQ(mailbox.message(4).real_size, 16u);
  }
}

TEST("no more messages than asked for are taken off the queue") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  for (const char* text : {"a", "b", "c"}) MUST(SendText(pair.first, text));
  Mailbox mailbox(4);
  CHECK_EQ(MUST(mailbox.Receive(pair.second, {2})), 2u);
  CHECK_EQ(MUST(mailbox.Receive(pair.second, {2})), 1u);
  CHECK_EQ(mailbox.text(), "c");
}

TEST("an empty queue is EAGAIN, also on a blocking socket") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  ::fcntl(pair.first.get(), F_SETFL, 0);
  CHECK_FAILS(Mailbox().Receive(pair.first), EAGAIN, "recvmsg");
  CHECK_FAILS(Mailbox().Receive(UniqueFd()), EBADF, "recvmsg");
}

TEST("a sender without a name is unnamed, also after one with a name") {
  const Scene scene;
  MUST(SendText(scene.named, "a", &scene.to));
  MUST(SendText(scene.unnamed, "b", &scene.to));
  Mailbox mailbox;
  MUST(mailbox.Receive(scene.receiver));
  CHECK_EQ(TextOf(mailbox.message().from), scene.path);
  MUST(mailbox.Receive(scene.receiver));
  CHECK_EQ(mailbox.message().from.kind(), fdpass::UnixAddress::Kind::kUnnamed);
}

TEST("where only bytes can come one call tells as much: the name, the real size, the end") {
  const Scene scene;
  fdpass::Inbox::Options options;
  options.bytes_only = true;
  MUST(SendText(scene.named, std::string(100, 'x'), &scene.to));
  MUST(SendText(scene.unnamed, "b", &scene.to));
  Mailbox mailbox(1, 10);
  CHECK_EQ(MUST(mailbox.Receive(scene.receiver, options)), 1u);
  CHECK_EQ(mailbox.text(), std::string(10, 'x'));
  CHECK_EQ(mailbox.message().real_size, 100u);
  CHECK_EQ(TextOf(mailbox.message().from), scene.path);
  CHECK_EQ(MUST(mailbox.Receive(scene.receiver, options)), 1u);
  CHECK_EQ(mailbox.text(), "b");
  CHECK_EQ(mailbox.message().from.kind(), fdpass::UnixAddress::Kind::kUnnamed);
  CHECK_FAILS(mailbox.Receive(scene.receiver, options), EAGAIN, "recvmsg");

  auto stream = MUST(OpenPair(SOCK_STREAM));
  stream.first.reset();
  CHECK_EQ(MUST(mailbox.Receive(stream.second, options)), 1u);
  CHECK_EQ(mailbox.message().real_size, 0u);
}

TEST("an empty packet is a message and the end is not") {
  auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(fdpass::EnableEndDetection(pair.second.borrow()));
  MUST(SendText(pair.first, ""));
  MUST(SendText(pair.first, "x"));
  Mailbox mailbox(4);
  CHECK_EQ(MUST(mailbox.Receive(pair.second, kWithEnd)), 2u);
  CHECK(!mailbox.ended());
  CHECK_EQ(mailbox.message(0).size, 0u);
  CHECK_EQ(mailbox.text(1), "x");
  MUST(SendText(pair.first, ""));
  pair.first.reset();
  CHECK_EQ(MUST(mailbox.Receive(pair.second, kWithEnd)), 1u);
  CHECK(mailbox.ended());
  CHECK_EQ(MUST(mailbox.Receive(pair.second, kWithEnd)), 0u);
  CHECK(mailbox.ended());
}

TEST("a peer that shut down for writing has ended") {
  const auto pair = MUST(OpenPair(SOCK_SEQPACKET));
  MUST(fdpass::EnableEndDetection(pair.second.borrow()));
  MUST(fdpass::Shutdown(pair.first.borrow(), SHUT_WR));
  Mailbox mailbox;
  CHECK_EQ(MUST(mailbox.Receive(pair.second, {1, {0, false, false, true}})), 0u);
  CHECK(mailbox.ended());
}

TEST("an empty datagram is a message") {
  const auto pair = MUST(OpenPair(SOCK_DGRAM));
  MUST(SendText(pair.first, ""));
  Mailbox mailbox;
  CHECK_EQ(MUST(mailbox.Receive(pair.second)), 1u);
  CHECK_EQ(mailbox.message().real_size, 0u);
  CHECK(!mailbox.ended());
}
