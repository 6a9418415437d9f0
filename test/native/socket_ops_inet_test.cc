// Tests of core/socket_ops.h on TCP and UDP. Those on IPv6 pass without a word where there is no
// ::1.
#include <vector>

#include "check.h"
#include "core/socket_ops.h"
#include "pipe.h"

using fdpass::InetAddress;
using fdpass::InetOptions;
using fdpass::ListenTcp;
using fdpass::UniqueFd;

namespace {

constexpr InetOptions kPlain{};
constexpr InetOptions kReusePort{true, false};
constexpr InetOptions kIpv6Only{false, true};

InetAddress Address(const char* text, uint16_t port = 0) {
  return MUST(InetAddress::Parse(text, port));
}

InetAddress Bound(const UniqueFd& socket) {
  return MUST(fdpass::LocalAddress<InetAddress>(socket.borrow()));
}

bool HasIpv6() { return fdpass::BindUdp(Address("::1"), kPlain).ok(); }

// A non-blocking connect on loopback has been decided by the time that it can be written to.
int ConnectError(const char* text, uint16_t port) {
  const auto address = Address(text, port);
  const auto client = MUST(fdpass::OpenSocket(address.family(), SOCK_STREAM));
  const auto connected = fdpass::Connect(client.borrow(), address);
  if (connected.error().code != EINPROGRESS) return connected.error().code;
  pollfd writable{client.get(), POLLOUT, 0};
  ::poll(&writable, 1, -1);
  return MUST(fdpass::GetOption(client.borrow(), SOL_SOCKET, SO_ERROR));
}

}  // namespace

TEST("an IPv4 listener gets a port and takes connections") {
  const auto listener = MUST(ListenTcp(Address("127.0.0.1"), 8, kPlain));
  const auto bound = Bound(listener);
  CHECK_EQ(bound.text(), "127.0.0.1");
  CHECK(bound.port() != 0);
  CHECK(IsCloseOnExec(listener.get()));
  CHECK(IsNonBlocking(listener.get()));
  CHECK_EQ(ConnectError("127.0.0.1", bound.port()), 0);
  const auto accepted = MUST(fdpass::Accept(listener.borrow()));
  CHECK(IsCloseOnExec(accepted.get()));
  CHECK(IsNonBlocking(accepted.get()));
  CHECK_EQ(MUST(fdpass::RemoteAddress<InetAddress>(accepted.borrow())).text(), "127.0.0.1");
}

TEST("an IPv6 listener takes IPv4 connections too, unless it is IPv6 only") {
  if (!HasIpv6()) return;
  const auto both = MUST(ListenTcp(Address("::"), 8, kPlain));
  CHECK_EQ(Bound(both).family(), AF_INET6);
  CHECK_EQ(ConnectError("::1", Bound(both).port()), 0);
  CHECK_EQ(ConnectError("127.0.0.1", Bound(both).port()), 0);
  const auto only = MUST(ListenTcp(Address("::"), 8, kIpv6Only));
  CHECK_EQ(ConnectError("::1", Bound(only).port()), 0);
  CHECK_EQ(ConnectError("127.0.0.1", Bound(only).port()), ECONNREFUSED);
}

TEST("an IPv6-only listener leaves the IPv4 port to others") {
  if (!HasIpv6()) return;
  const auto v6 = MUST(ListenTcp(Address("::"), 8, kIpv6Only));
  const auto v4 = MUST(ListenTcp(Address("0.0.0.0", Bound(v6).port()), 8, kPlain));
  CHECK_EQ(Bound(v4).port(), Bound(v6).port());
}

TEST("a port in use is refused and nothing stays open") {
  const auto tcp = MUST(ListenTcp(Address("127.0.0.1"), 8, kPlain));
  CHECK_FAILS(ListenTcp(Bound(tcp), 8, kPlain), EADDRINUSE, "bind");
  const auto udp = MUST(fdpass::BindUdp(Address("127.0.0.1"), kPlain));
  CHECK_FAILS(fdpass::BindUdp(Bound(udp), kPlain), EADDRINUSE, "bind");
}

TEST("sockets that all said reuse_port share a port") {
  const auto tcp = MUST(ListenTcp(Address("127.0.0.1"), 8, kReusePort));
  CHECK_EQ(Bound(MUST(ListenTcp(Bound(tcp), 8, kReusePort))).port(), Bound(tcp).port());
  CHECK_FAILS(ListenTcp(Bound(tcp), 8, kPlain), EADDRINUSE, "bind");
  const auto udp = MUST(fdpass::BindUdp(Address("127.0.0.1"), kReusePort));
  CHECK_EQ(Bound(MUST(fdpass::BindUdp(Bound(udp), kReusePort))).port(), Bound(udp).port());
}

TEST("an address that is not this machine's is refused") {
  // 192.0.2.0/24 is for documentation: RFC 5737.
  CHECK_FAILS(ListenTcp(Address("192.0.2.1"), 8, kPlain), EADDRNOTAVAIL, "bind");
}

TEST("a TCP connection has nobody's credentials") {
  const auto listener = MUST(ListenTcp(Address("127.0.0.1"), 8, kPlain));
  CHECK_FAILS(fdpass::PeerCredentials(listener.borrow()), ENOTCONN, "getsockopt");
}

namespace {

constexpr int kConnections = 60;

// How many of so many new connections each listener of the group got.
std::vector<int> Spread(const std::vector<UniqueFd>& group) {
  const auto address = Bound(group[0]);
  for (int i = 0; i < kConnections; i++) CHECK_EQ(ConnectError("127.0.0.1", address.port()), 0);
  std::vector<int> counts;
  for (const auto& listener : group) {
    UniqueFd accepted[kConnections];
    const auto count = fdpass::AcceptBatch(listener.borrow(), accepted, kConnections);
    counts.push_back(count.ok() ? static_cast<int>(count.value()) : 0);
  }
  return counts;
}

std::vector<UniqueFd> ListenTogether(size_t count) {
  std::vector<UniqueFd> group;
  group.push_back(MUST(ListenTcp(Address("127.0.0.1"), 128, kReusePort)));
  while (group.size() < count) group.push_back(MUST(ListenTcp(Bound(group[0]), 128, kReusePort)));
  return group;
}

}  // namespace

TEST("connections go to the first listeners of a group alone, whichever of them says so") {
  const auto group = ListenTogether(3);
  MUST(fdpass::ShareReuseport(group[2].borrow(), std::vector<uint32_t>(2, 1)));
  const auto two = Spread(group);
  CHECK(two[0] > 0 && two[1] > 0);
  CHECK_EQ(two[0] + two[1], kConnections);
  MUST(fdpass::ShareReuseport(group[0].borrow(), std::vector<uint32_t>(1, 1)));
  CHECK_EQ(Spread(group)[0], kConnections);
  MUST(fdpass::ShareReuseport(group[0].borrow(), std::vector<uint32_t>(3, 1)));
  const auto three = Spread(group);
  CHECK(three[0] > 0 && three[1] > 0 && three[2] > 0);
}

TEST("the place of a listener that closes is taken by the last one") {
  auto group = ListenTogether(3);
  MUST(fdpass::ShareReuseport(group[0].borrow(), std::vector<uint32_t>(1, 1)));
  group[0] = UniqueFd();
  group.erase(group.begin());
  const auto counts = Spread(group);
  CHECK_EQ(counts[1], kConnections);
}

TEST("a listener without a share gets no connection, one with more gets more") {
  const auto group = ListenTogether(3);
  MUST(fdpass::ShareReuseport(group[0].borrow(), {0, 19, 1}));
  const auto counts = Spread(group);
  CHECK_EQ(counts[0], 0);
  CHECK(counts[1] > counts[2]);
  CHECK_EQ(counts[1] + counts[2], kConnections);
}

TEST("shares that are none, too large or of a socket without a group are refused") {
  const auto group = ListenTogether(1);
  const auto fd = group[0].borrow();
  CHECK_FAILS(fdpass::ShareReuseport(fd, {}), EINVAL, "setsockopt");
  CHECK_FAILS(fdpass::ShareReuseport(fd, {0, 0}), EINVAL, "setsockopt");
  CHECK_FAILS(fdpass::ShareReuseport(fd, {UINT32_MAX, 1}), EINVAL, "setsockopt");
  CHECK_FAILS(fdpass::ShareReuseport(fd, std::vector<uint32_t>(5000, 1)), EINVAL, "setsockopt");
  MUST(fdpass::ShareReuseport(fd, std::vector<uint32_t>(2000, 1)));
  const auto alone = MUST(ListenTcp(Address("127.0.0.1"), 8, kPlain));
  CHECK_FAILS(fdpass::ShareReuseport(alone.borrow(), std::vector<uint32_t>(1, 1)), EINVAL,
              "setsockopt");
}
