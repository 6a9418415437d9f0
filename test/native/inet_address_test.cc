// Tests of core/inet_address.h.
#include "core/inet_address.h"

#include <net/if.h>

#include "check.h"

using fdpass::InetAddress;

TEST("IPv4 text keeps its address and port") {
  const auto address = MUST(InetAddress::Parse("127.0.0.1", 65535));
  CHECK_EQ(address.family(), AF_INET);
  CHECK_EQ(address.port(), 65535);
  CHECK_EQ(address.text(), "127.0.0.1");
  CHECK_EQ(address.size(), sizeof(sockaddr_in));
}

TEST("IPv6 text keeps its address and port, in short form") {
  const auto address = MUST(InetAddress::Parse("2001:0db8:0:0::0001", 443));
  CHECK_EQ(address.family(), AF_INET6);
  CHECK_EQ(address.port(), 443);
  CHECK_EQ(address.text(), "2001:db8::1");
  CHECK_EQ(address.size(), sizeof(sockaddr_in6));
}

TEST("a scope is taken as the name or the number of an interface") {
  const std::string number = "fe80::1%" + std::to_string(::if_nametoindex("lo"));
  CHECK_EQ(MUST(InetAddress::Parse("fe80::1%lo", 0)).text(), "fe80::1%lo");
  CHECK_EQ(MUST(InetAddress::Parse(number.c_str(), 0)).text(), "fe80::1%lo");
}

TEST("the number of an interface that is not here is kept") {
  CHECK_EQ(MUST(InetAddress::Parse("fe80::1%99999", 0)).text(), "fe80::1%99999");
}

TEST("scope 0 is no scope") { CHECK_EQ(MUST(InetAddress::Parse("::1%0", 0)).text(), "::1"); }

TEST("a scope that is neither a name nor a number is refused") {
  for (const char* text : {"fe80::1%", "fe80::1%nosuch", "fe80::1%1x", "fe80::1%-1",
                           "fe80::1%99999999999", "fe80::1%0x1"}) {
    CHECK_FAILS(InetAddress::Parse(text, 0), EINVAL, "inet_pton");
  }
}

TEST("text that is not a numeric address is refused") {
  for (const char* text : {"", "localhost", "256.0.0.1", "1.2.3", "127.0.0.1 ", "127.0.0.1%lo",
                           "[::1]", ":::1", "/run/x"}) {
    CHECK_FAILS(InetAddress::Parse(text, 80), EINVAL, "inet_pton");
  }
}
