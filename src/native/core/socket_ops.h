// The life of a socket up to its first byte: create, bind, listen, accept, connect, ask, set, shut
// down. Every descriptor made here is close-on-exec and non-blocking from birth. socket(2),
// accept4(2)
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "inet_address.h"
#include "result.h"
#include "unique_fd.h"
#include "unix_address.h"

namespace fdpass {

Result<UniqueFd> OpenSocket(int domain, int type);
Result<std::pair<UniqueFd, UniqueFd>> OpenPair(int type);

// Address is UnixAddress or InetAddress. An unnamed UnixAddress asks for autobind. bind(2), unix(7)
template <typename Address>
Result<void> Bind(BorrowedFd socket, const Address& address);
template <typename Address>
Result<void> Connect(BorrowedFd socket, const Address& address);
template <typename Address>
Result<Address> LocalAddress(BorrowedFd socket);  // getsockname(2)
template <typename Address>
Result<Address> RemoteAddress(BorrowedFd socket);  // getpeername(2)

Result<void> Listen(BorrowedFd socket, int backlog);
Result<UniqueFd> Accept(BorrowedFd listener);
// Accepts what is queued, at most `max`, into `accepted`. Gives how many; an error only if there is
// none: the next call says it again.
Result<size_t> AcceptBatch(BorrowedFd listener, UniqueFd* accepted, size_t max);
Result<void> Shutdown(BorrowedFd socket, int how);  // on a shared listener it stops every holder

struct InetOptions {
  bool reuse_port = false;
  bool ipv6_only = false;
};
// socket, SO_REUSEADDR, bind, listen: as libuv makes a TCP server.
Result<UniqueFd> ListenTcp(const InetAddress& address, int backlog, InetOptions options);
Result<UniqueFd> BindUdp(const InetAddress& address, InetOptions options);

// New connections of the SO_REUSEPORT group that `socket` is in, which are otherwise spread over
// all of it: the socket at place i gets its share of them by chance, shares[i] of their sum, and
// none with 0 or behind the last one. Places are those of the order of listen(2); when a socket
// closes, the last one takes its place. Replaces what was set before, for the whole group.
// SO_ATTACH_REUSEPORT_CBPF, socket(7). EINVAL: no share is above 0, their sum does not fit, or the
// socket is in no group.
Result<void> ShareReuseport(BorrowedFd socket, const std::vector<uint32_t>& shares);

// Integer options only.
Result<int> GetOption(BorrowedFd socket, int level, int option);
Result<void> SetOption(BorrowedFd socket, int level, int option, int value);

// Who called connect(), listen() or socketpair() on the other side; fixed at that moment.
// SO_PEERCRED, socket(7)
Result<ucred> PeerCredentials(BorrowedFd socket);
// Its supplementary groups. SO_PEERGROUPS; ENODATA if not connected.
Result<std::vector<gid_t>> PeerGroups(BorrowedFd socket);
// A pidfd of that process, valid even after it has been reaped. Linux 6.5; ENOPROTOOPT before.
Result<UniqueFd> OpenPeerPidFd(BorrowedFd socket);

// The same for all duplicates of a socket, and never given to another one. SO_COOKIE
Result<uint64_t> Cookie(BorrowedFd socket);

}  // namespace fdpass
