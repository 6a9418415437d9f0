// Tests of core/unix_address.h.
#include "core/unix_address.h"

#include "addresses.h"
#include "check.h"
#include "core/socket_ops.h"

using fdpass::LocalAddress;
using fdpass::OpenSocket;
using fdpass::UnixAddress;
using Kind = fdpass::UnixAddress::Kind;

namespace {

constexpr socklen_t kFamilyBytes = offsetof(sockaddr_un, sun_path);

UnixAddress BoundAs(const UnixAddress& address) {
  const auto socket = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
  MUST(fdpass::Bind(socket.borrow(), address));
  return MUST(LocalAddress<UnixAddress>(socket.borrow()));
}

}  // namespace

TEST("a path goes to the kernel with one NUL") {
  const auto address = MUST(FromText("/run/x"));
  CHECK_EQ(address.kind(), Kind::kPath);
  CHECK_EQ(address.size(), kFamilyBytes + 7);
  CHECK_EQ(TextOf(address), "/run/x");
}

TEST("an abstract name goes to the kernel with exactly its bytes") {
  const std::string name("\0name\0", 6);
  const auto address = MUST(FromText(name));
  CHECK_EQ(address.kind(), Kind::kAbstract);
  CHECK_EQ(address.size(), kFamilyBytes + 6);
  CHECK_EQ(TextOf(address), name);
}

TEST("an empty image is the unnamed address") {
  const auto address = MUST(FromText(""));
  CHECK_EQ(address.kind(), Kind::kUnnamed);
  CHECK_EQ(address.size(), kFamilyBytes);
  CHECK_EQ(address.sun_path_size(), 0u);
}

TEST("a path of 107 bytes fits and one of 108 is refused") {
  CHECK_EQ(MUST(FromText(std::string(107, 'p'))).size(), kFamilyBytes + 108);
  CHECK_FAILS(FromText(std::string(108, 'p')), ENAMETOOLONG, "bind");
}

TEST("an abstract name of 107 bytes fits and one of 108 is refused") {
  const std::string nul(1, '\0');
  CHECK_EQ(MUST(FromText(nul + std::string(107, 'a'))).size(), kFamilyBytes + 108);
  CHECK_FAILS(FromText(nul + std::string(108, 'a')), ENAMETOOLONG, "bind");
}

TEST("a NUL inside or behind a path is refused") {
  CHECK_FAILS(FromText(std::string("/a\0b", 4)), EINVAL, "bind");
  CHECK_FAILS(FromText(std::string("/a\0", 3)), EINVAL, "bind");
}

TEST("the kernel gives every kind of name back byte for byte") {
  const TempDir folder;
  const std::string path = folder.path("\xff\n \x01\xc3(");
  CHECK_EQ(TextOf(BoundAs(MUST(FromText(path)))), path);
  const std::string abstract = '\0' + path + std::string("\0\0\xfe", 3);
  CHECK_EQ(TextOf(BoundAs(MUST(FromText(abstract)))), abstract);
}

TEST("two abstract names that differ by a last NUL are two names") {
  const TempDir folder;
  const std::string name = '\0' + folder.path("name");
  const auto first = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
  MUST(fdpass::Bind(first.borrow(), MUST(FromText(name))));
  CHECK_EQ(TextOf(BoundAs(MUST(FromText(name + '\0')))), name + '\0');
}

TEST("binding the unnamed address gives an abstract name of five digits") {
  const auto given = BoundAs(UnixAddress());
  CHECK_EQ(given.kind(), Kind::kAbstract);
  CHECK_EQ(given.sun_path_size(), 6u);
  CHECK_EQ(TextOf(given).find_first_not_of("0123456789abcdef", 1), std::string_view::npos);
}

TEST("a socket without a name reports the unnamed address") {
  const auto socket = MUST(OpenSocket(AF_UNIX, SOCK_STREAM));
  CHECK_EQ(MUST(LocalAddress<UnixAddress>(socket.borrow())).kind(), Kind::kUnnamed);
}

TEST("a path of 108 bytes that the kernel reports is read whole") {
  const TempDir folder;
  const auto socket = MUST(OpenSocket(AF_UNIX, SOCK_DGRAM));
  const std::string path = BindToPathOf108Bytes(socket.borrow(), folder);
  const auto address = MUST(LocalAddress<UnixAddress>(socket.borrow()));
  CHECK_EQ(address.kind(), Kind::kPath);
  CHECK_EQ(address.sun_path_size(), 108u);
  CHECK_EQ(TextOf(address), path);
}

TEST("a length from the kernel outside the storage is brought back into it") {
  auto address = MUST(FromText("/run/x"));
  address.SetSizeFromKernel(4096);
  CHECK_EQ(address.size(), UnixAddress::capacity());
  CHECK_EQ(TextOf(address), "/run/x");
  address.SetSizeFromKernel(0);
  CHECK_EQ(address.kind(), Kind::kUnnamed);
}
