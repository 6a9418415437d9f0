#include "socket_ops.h"

#include <linux/filter.h>
#include <netinet/in.h>

#include <numeric>

#include "platform.h"

namespace fdpass {

Result<UniqueFd> OpenSocket(int domain, int type) {
  UniqueFd socket(::socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return SysError{errno, "socket"};
  return socket;
}

Result<std::pair<UniqueFd, UniqueFd>> OpenPair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == -1) {
    return SysError{errno, "socketpair"};
  }
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

template <typename Address>
Result<void> Bind(BorrowedFd socket, const Address& address) {
  if (::bind(socket.get(), address.data(), address.size()) == -1) return SysError{errno, "bind"};
  return {};
}

template <typename Address>
Result<void> Connect(BorrowedFd socket, const Address& address) {
  const auto connect = [&] { return ::connect(socket.get(), address.data(), address.size()); };
  if (RetryOnInterrupt(connect) == -1) return SysError{errno, "connect"};
  return {};
}

template <typename Address>
Result<Address> LocalAddress(BorrowedFd socket) {
  Address address;
  socklen_t size = Address::capacity();
  if (::getsockname(socket.get(), address.buffer(), &size) == -1) {
    return SysError{errno, "getsockname"};
  }
  address.SetSizeFromKernel(size);
  return address;
}

template <typename Address>
Result<Address> RemoteAddress(BorrowedFd socket) {
  Address address;
  socklen_t size = Address::capacity();
  if (::getpeername(socket.get(), address.buffer(), &size) == -1) {
    return SysError{errno, "getpeername"};
  }
  address.SetSizeFromKernel(size);
  return address;
}

template Result<void> Bind(BorrowedFd, const UnixAddress&);
template Result<void> Bind(BorrowedFd, const InetAddress&);
template Result<void> Connect(BorrowedFd, const UnixAddress&);
template Result<void> Connect(BorrowedFd, const InetAddress&);
template Result<UnixAddress> LocalAddress(BorrowedFd);
template Result<InetAddress> LocalAddress(BorrowedFd);
template Result<UnixAddress> RemoteAddress(BorrowedFd);
template Result<InetAddress> RemoteAddress(BorrowedFd);

Result<void> Listen(BorrowedFd socket, int backlog) {
  if (::listen(socket.get(), backlog) == -1) return SysError{errno, "listen"};
  return {};
}

Result<UniqueFd> Accept(BorrowedFd listener) {
  // accept(2) inherits neither flag from the listener.
  UniqueFd socket(RetryOnInterrupt(
      [&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }));
  if (!socket.valid()) return SysError{errno, "accept"};
  return socket;
}

Result<size_t> AcceptBatch(BorrowedFd listener, UniqueFd* accepted, size_t max) {
  size_t count = 0;
  while (count < max) {
    auto socket = Accept(listener);
    if (!socket.ok()) {
      if (count > 0) break;
      return socket.error();
    }
    accepted[count++] = std::move(socket.value());
  }
  return count;
}

Result<void> Shutdown(BorrowedFd socket, int how) {
  if (::shutdown(socket.get(), how) == -1) return SysError{errno, "shutdown"};
  return {};
}

namespace {

// Opens, sets the options that must precede bind(2), and binds.
Result<UniqueFd> BindInet(int type, const InetAddress& address, InetOptions options) {
  auto socket = OpenSocket(address.family(), type);
  if (!socket.ok()) return socket;
  const BorrowedFd fd = socket.value().borrow();
  if (type == SOCK_STREAM) {
    auto set = SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!set.ok()) return set.error();
  }
  if (options.reuse_port) {
    auto set = SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!set.ok()) return set.error();
  }
  if (address.family() == AF_INET6) {
    // Said both ways, so that net.ipv6.bindv6only does not decide.
    auto set = SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
    if (!set.ok()) return set.error();
  }
  auto bound = Bind(fd, address);
  if (!bound.ok()) return bound.error();
  return socket;
}

}  // namespace

Result<UniqueFd> ListenTcp(const InetAddress& address, int backlog, InetOptions options) {
  auto socket = BindInet(SOCK_STREAM, address, options);
  if (!socket.ok()) return socket;
  auto listening = Listen(socket.value().borrow(), backlog);
  if (!listening.ok()) return listening.error();
  return socket;
}

Result<UniqueFd> BindUdp(const InetAddress& address, InetOptions options) {
  return BindInet(SOCK_DGRAM, address, options);
}

namespace {

// By chance and not by the hash of the flow, which is 0 for all on a card that makes none. Of TCP
// one packet of a connection is asked about: the SYN. (With UDP every datagram would be.)
std::vector<sock_filter> SharingProgram(const std::vector<uint32_t>& shares, uint32_t sum) {
  std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, sum),
  };
  uint32_t end = 0;
  for (uint32_t place = 0; place < shares.size(); place++) {
    if (shares[place] == 0) continue;
    end += shares[place];
    if (end != sum) program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, end, 1, 0));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, place));
    if (end == sum) break;
  }
  return program;
}

}  // namespace

Result<void> ShareReuseport(BorrowedFd socket, const std::vector<uint32_t>& shares) {
  const uint64_t sum = std::accumulate(shares.begin(), shares.end(), uint64_t{0});
  if (sum == 0 || sum > UINT32_MAX) return SysError{EINVAL, "setsockopt"};
  auto filter = SharingProgram(shares, static_cast<uint32_t>(sum));
  // As many workers as there are instructions for: nobody has 2000.
  if (filter.size() > BPF_MAXINSNS) return SysError{EINVAL, "setsockopt"};
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) ==
      -1) {
    return SysError{errno, "setsockopt"};
  }
  return {};
}

Result<int> GetOption(BorrowedFd socket, int level, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (::getsockopt(socket.get(), level, option, &value, &size) == -1) {
    return SysError{errno, "getsockopt"};
  }
  return value;
}

Result<void> SetOption(BorrowedFd socket, int level, int option, int value) {
  if (::setsockopt(socket.get(), level, option, &value, sizeof(value)) == -1) {
    return SysError{errno, "setsockopt"};
  }
  return {};
}

Result<ucred> PeerCredentials(BorrowedFd socket) {
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == -1) {
    return SysError{errno, "getsockopt"};
  }
  // An unconnected socket answers pid 0 and ids -1 instead of an error: nobody's credentials. (A
  // peer in another pid namespace has pid 0, too, but its user is known.)
  if (credentials.uid == static_cast<uid_t>(-1)) return SysError{ENOTCONN, "getsockopt"};
  return credentials;
}

Result<std::vector<gid_t>> PeerGroups(BorrowedFd socket) {
  std::vector<gid_t> groups(32);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int status = ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    // ERANGE: `size` says how much they need (net/core/sock.c).
    if (status == -1 && errno != ERANGE) return SysError{errno, "getsockopt"};
    groups.resize(size / sizeof(gid_t));
    if (status == 0) return groups;
  }
}

Result<UniqueFd> OpenPeerPidFd(BorrowedFd socket) {
  auto pidfd = GetOption(socket, SOL_SOCKET, kSoPeerPidFd);
  if (!pidfd.ok()) return pidfd.error();
  return UniqueFd(pidfd.value());
}

Result<uint64_t> Cookie(BorrowedFd socket) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size) == -1) {
    return SysError{errno, "getsockopt"};
  }
  return cookie;
}

}  // namespace fdpass
