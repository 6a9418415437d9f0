// core/socket_ops.h for JS. Addresses cross as sun_path images or as numeric text and port.
#include "../core/socket_ops.h"

#include "../core/message_io.h"
#include "../core/platform.h"
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "script_function.h"
#include "sys_error.h"

namespace fdpass {

namespace {

// openSocket(type): fd, in AF_UNIX
Napi::Value OpenUnix(Napi::Env env, int type) { return FromFd(env, OpenSocket(AF_UNIX, type)); }

// openPair(type): [fd, fd]
Napi::Value OpenUnixPair(Napi::Env env, int type) {
  auto pair = OpenPair(type);
  if (!pair.ok()) {
    Throw(env, pair.error());
    return env.Undefined();
  }
  Napi::Array fds = Napi::Array::New(env, 2);
  fds.Set(uint32_t{0}, FromFd(env, std::move(pair.value().first)));
  fds.Set(uint32_t{1}, FromFd(env, std::move(pair.value().second)));
  return fds;
}

// bind(fd, sunPath), connect(fd, sunPath)
template <Result<void> (*Call)(BorrowedFd, const UnixAddress&)>
Napi::Value WithUnixAddress(Napi::Env env, BorrowedFd fd, const UnixAddress& address) {
  return ThrowOnError(env, Call(fd, address));
}

// localUnixAddress(fd), remoteUnixAddress(fd): sunPath
template <Result<UnixAddress> (*Ask)(BorrowedFd)>
Napi::Value AskUnixAddress(Napi::Env env, BorrowedFd fd) {
  auto address = Ask(fd);
  if (address.ok()) return FromUnixAddress(env, address.value());
  Throw(env, address.error());
  return env.Undefined();
}

// localInetAddress(fd), remoteInetAddress(fd): { address, family, port } as net.Socket.address()
template <Result<InetAddress> (*Ask)(BorrowedFd)>
Napi::Value AskInetAddress(Napi::Env env, BorrowedFd fd) {
  auto address = Ask(fd);
  if (!address.ok()) {
    Throw(env, address.error());
    return env.Undefined();
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("address", Napi::String::New(env, address.value().text()));
  object.Set("family",
             Napi::String::New(env, address.value().family() == AF_INET ? "IPv4" : "IPv6"));
  object.Set("port", Napi::Number::New(env, address.value().port()));
  return object;
}

// listen(fd, backlog), shutdown(fd, how)
template <Result<void> (*Call)(BorrowedFd, int)>
Napi::Value WithInt(Napi::Env env, BorrowedFd fd, int number) {
  return ThrowOnError(env, Call(fd, number));
}

// accept(fd, accepted): how many sockets were written to the Int32Array, or below zero an errno
Napi::Value AcceptSockets(Napi::Env env, BorrowedFd fd, Bytes numbers) {
  std::vector<UniqueFd> sockets(numbers.size / sizeof(int32_t));
  const auto count = AcceptBatch(fd, sockets.data(), sockets.size());
  if (!count.ok()) return Napi::Number::New(env, -count.error().code);
  for (size_t i = 0; i < count.value(); i++) {
    const int number = sockets[i].release();
    EnvData::Of(env)->Own(number);
    reinterpret_cast<int32_t*>(numbers.data)[i] = number;
  }
  return Napi::Number::New(env, static_cast<double>(count.value()));
}

// listenTcp(address, port, backlog, reusePort, ipv6Only): fd
Napi::Value ListenOnTcp(Napi::Env env, const std::string& text, int port, int backlog,
                        bool reuse_port, bool ipv6_only) {
  auto address = InetAddress::Parse(text.c_str(), static_cast<uint16_t>(port));
  if (!address.ok()) return FromFd(env, address.error());
  return FromFd(env, ListenTcp(address.value(), backlog, {reuse_port, ipv6_only}));
}

// bindUdp(address, port, reusePort, ipv6Only): fd
Napi::Value BindToUdp(Napi::Env env, const std::string& text, int port, bool reuse_port,
                      bool ipv6_only) {
  auto address = InetAddress::Parse(text.c_str(), static_cast<uint16_t>(port));
  if (!address.ok()) return FromFd(env, address.error());
  return FromFd(env, BindUdp(address.value(), {reuse_port, ipv6_only}));
}

// shareReuseport(fd, shares)
Napi::Value Share(Napi::Env env, BorrowedFd fd, Bytes shares) {
  const auto* first = reinterpret_cast<const uint32_t*>(shares.data);
  return ThrowOnError(env, ShareReuseport(fd, {first, first + shares.size / sizeof(uint32_t)}));
}

// getXxx(fd): number, setXxx(fd, value); all of them at SOL_SOCKET
template <int Option>
Napi::Value Get(Napi::Env env, BorrowedFd fd) {
  auto value = GetOption(fd, SOL_SOCKET, Option);
  if (value.ok()) return Napi::Number::New(env, value.value());
  Throw(env, value.error());
  return env.Undefined();
}

template <int Option>
Napi::Value Set(Napi::Env env, BorrowedFd fd, int value) {
  return ThrowOnError(env, SetOption(fd, SOL_SOCKET, Option, value));
}

// enableEndDetection(fd)
Napi::Value EnableEnd(Napi::Env env, BorrowedFd fd) {
  return ThrowOnError(env, EnableEndDetection(fd));
}

// peerCredentials(fd): [pid, uid, gid]
Napi::Value AskPeerCredentials(Napi::Env env, BorrowedFd fd) {
  auto credentials = PeerCredentials(fd);
  if (!credentials.ok()) {
    Throw(env, credentials.error());
    return env.Undefined();
  }
  Napi::Array triple = Napi::Array::New(env, 3);
  triple.Set(uint32_t{0}, credentials.value().pid);
  triple.Set(uint32_t{1}, credentials.value().uid);
  triple.Set(uint32_t{2}, credentials.value().gid);
  return triple;
}

// peerGroups(fd): number[]
Napi::Value AskPeerGroups(Napi::Env env, BorrowedFd fd) {
  auto groups = PeerGroups(fd);
  if (!groups.ok()) {
    Throw(env, groups.error());
    return env.Undefined();
  }
  Napi::Array list = Napi::Array::New(env, groups.value().size());
  for (uint32_t i = 0; i < groups.value().size(); i++) list.Set(i, groups.value()[i]);
  return list;
}

// peerPidFd(fd): fd
Napi::Value AskPeerPidFd(Napi::Env env, BorrowedFd fd) { return FromFd(env, OpenPeerPidFd(fd)); }

}  // namespace

void ExportSocketBinding(Napi::Env env, Napi::Object exports) {
  Export<OpenUnix>(env, exports, "openSocket");
  Export<OpenUnixPair>(env, exports, "openPair");
  Export<WithUnixAddress<Bind<UnixAddress>>>(env, exports, "bind");
  Export<WithUnixAddress<Connect<UnixAddress>>>(env, exports, "connect");
  Export<AskUnixAddress<LocalAddress>>(env, exports, "localUnixAddress");
  Export<AskUnixAddress<RemoteAddress>>(env, exports, "remoteUnixAddress");
  Export<AskInetAddress<LocalAddress>>(env, exports, "localInetAddress");
  Export<AskInetAddress<RemoteAddress>>(env, exports, "remoteInetAddress");
  Export<WithInt<Listen>>(env, exports, "listen");
  Export<WithInt<Shutdown>>(env, exports, "shutdown");
  Export<AcceptSockets>(env, exports, "accept");
  Export<ListenOnTcp>(env, exports, "listenTcp");
  Export<BindToUdp>(env, exports, "bindUdp");
  Export<Share>(env, exports, "shareReuseport");
  Export<Set<SO_PASSCRED>>(env, exports, "setPassCredentials");
  Export<Set<kSoPassPidFd>>(env, exports, "setPassPidFd");
  Export<Set<kSoPassRights>>(env, exports, "setPassRights");
  Export<Get<SO_SNDBUF>>(env, exports, "getSendBufferSize");
  Export<Set<SO_SNDBUF>>(env, exports, "setSendBufferSize");
  Export<EnableEnd>(env, exports, "enableEndDetection");
  Export<AskPeerCredentials>(env, exports, "peerCredentials");
  Export<AskPeerGroups>(env, exports, "peerGroups");
  Export<AskPeerPidFd>(env, exports, "peerPidFd");
}

}  // namespace fdpass
