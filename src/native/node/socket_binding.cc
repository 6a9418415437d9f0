// core/socket_ops.h for JS. Addresses cross as sun_path images or as numeric text and port.
#include "../core/socket_ops.h"

#include "../core/message_io.h"
#include "../core/platform.h"
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "sys_error.h"

namespace fdpass {

namespace {

// openSocket(type): fd, in AF_UNIX
Napi::Value OpenUnix(const Napi::CallbackInfo& info) {
  return FromFd(info.Env(), OpenSocket(AF_UNIX, ToInt(info.Env(), info[0])));
}

// openPair(type): [fd, fd]
Napi::Value OpenUnixPair(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto pair = OpenPair(ToInt(env, info[0]));
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
Napi::Value WithUnixAddress(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return ThrowOnError(env, Call(ToFd(env, info[0]), ToUnixAddress(env, info[1])));
}

// localUnixAddress(fd), remoteUnixAddress(fd): sunPath
template <Result<UnixAddress> (*Ask)(BorrowedFd)>
Napi::Value AskUnixAddress(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto address = Ask(ToFd(env, info[0]));
  if (address.ok()) return FromUnixAddress(env, address.value());
  Throw(env, address.error());
  return env.Undefined();
}

// localInetAddress(fd), remoteInetAddress(fd): { address, family, port } as net.Socket.address()
template <Result<InetAddress> (*Ask)(BorrowedFd)>
Napi::Value AskInetAddress(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto address = Ask(ToFd(env, info[0]));
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
Napi::Value WithInt(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return ThrowOnError(env, Call(ToFd(env, info[0]), ToInt(env, info[1])));
}

// accept(fd, accepted): how many sockets were written to the Int32Array, or below zero an errno
Napi::Value AcceptSockets(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Bytes numbers = ToBytes(env, info[1]);
  std::vector<UniqueFd> sockets(numbers.size / sizeof(int32_t));
  const auto count = AcceptBatch(ToFd(env, info[0]), sockets.data(), sockets.size());
  if (!count.ok()) return Napi::Number::New(env, -count.error().code);
  for (size_t i = 0; i < count.value(); i++) {
    const int fd = sockets[i].release();
    EnvData::Of(env)->Own(fd);
    reinterpret_cast<int32_t*>(numbers.data)[i] = fd;
  }
  return Napi::Number::New(env, static_cast<double>(count.value()));
}

// listenTcp(address, port, backlog, reusePort, ipv6Only): fd
Napi::Value ListenOnTcp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto address = InetAddress::Parse(info[0].As<Napi::String>().Utf8Value().c_str(),
                                    static_cast<uint16_t>(ToInt(env, info[1])));
  if (!address.ok()) return FromFd(env, address.error());
  const InetOptions options{ToBool(env, info[3]), ToBool(env, info[4])};
  return FromFd(env, ListenTcp(address.value(), ToInt(env, info[2]), options));
}

// bindUdp(address, port, reusePort, ipv6Only): fd
Napi::Value BindToUdp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto address = InetAddress::Parse(info[0].As<Napi::String>().Utf8Value().c_str(),
                                    static_cast<uint16_t>(ToInt(env, info[1])));
  if (!address.ok()) return FromFd(env, address.error());
  const InetOptions options{ToBool(env, info[2]), ToBool(env, info[3])};
  return FromFd(env, BindUdp(address.value(), options));
}

// getXxx(fd): number, setXxx(fd, value); all of them at SOL_SOCKET
template <int Option>
Napi::Value Get(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto value = GetOption(ToFd(env, info[0]), SOL_SOCKET, Option);
  if (value.ok()) return Napi::Number::New(env, value.value());
  Throw(env, value.error());
  return env.Undefined();
}

template <int Option>
Napi::Value Set(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return ThrowOnError(env, SetOption(ToFd(env, info[0]), SOL_SOCKET, Option, ToInt(env, info[1])));
}

// enableEndDetection(fd)
Napi::Value EnableEnd(const Napi::CallbackInfo& info) {
  return ThrowOnError(info.Env(), EnableEndDetection(ToFd(info.Env(), info[0])));
}

// peerCredentials(fd): [pid, uid, gid]
Napi::Value AskPeerCredentials(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto credentials = PeerCredentials(ToFd(env, info[0]));
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
Napi::Value AskPeerGroups(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto groups = PeerGroups(ToFd(env, info[0]));
  if (!groups.ok()) {
    Throw(env, groups.error());
    return env.Undefined();
  }
  Napi::Array list = Napi::Array::New(env, groups.value().size());
  for (uint32_t i = 0; i < groups.value().size(); i++) list.Set(i, groups.value()[i]);
  return list;
}

// peerPidFd(fd): fd
Napi::Value AskPeerPidFd(const Napi::CallbackInfo& info) {
  return FromFd(info.Env(), OpenPeerPidFd(ToFd(info.Env(), info[0])));
}

}  // namespace

void ExportSocketBinding(Napi::Env env, Napi::Object exports) {
  exports.Set("openSocket", Napi::Function::New<OpenUnix>(env));
  exports.Set("openPair", Napi::Function::New<OpenUnixPair>(env));
  exports.Set("bind", Napi::Function::New<WithUnixAddress<Bind<UnixAddress>>>(env));
  exports.Set("connect", Napi::Function::New<WithUnixAddress<Connect<UnixAddress>>>(env));
  exports.Set("localUnixAddress", Napi::Function::New<AskUnixAddress<LocalAddress>>(env));
  exports.Set("remoteUnixAddress", Napi::Function::New<AskUnixAddress<RemoteAddress>>(env));
  exports.Set("localInetAddress", Napi::Function::New<AskInetAddress<LocalAddress>>(env));
  exports.Set("remoteInetAddress", Napi::Function::New<AskInetAddress<RemoteAddress>>(env));
  exports.Set("listen", Napi::Function::New<WithInt<Listen>>(env));
  exports.Set("shutdown", Napi::Function::New<WithInt<Shutdown>>(env));
  exports.Set("accept", Napi::Function::New<AcceptSockets>(env));
  exports.Set("listenTcp", Napi::Function::New<ListenOnTcp>(env));
  exports.Set("bindUdp", Napi::Function::New<BindToUdp>(env));
  exports.Set("setPassCredentials", Napi::Function::New<Set<SO_PASSCRED>>(env));
  exports.Set("setPassPidFd", Napi::Function::New<Set<kSoPassPidFd>>(env));
  exports.Set("setPassRights", Napi::Function::New<Set<kSoPassRights>>(env));
  exports.Set("getSendBufferSize", Napi::Function::New<Get<SO_SNDBUF>>(env));
  exports.Set("setSendBufferSize", Napi::Function::New<Set<SO_SNDBUF>>(env));
  exports.Set("enableEndDetection", Napi::Function::New<EnableEnd>(env));
  exports.Set("peerCredentials", Napi::Function::New<AskPeerCredentials>(env));
  exports.Set("peerGroups", Napi::Function::New<AskPeerGroups>(env));
  exports.Set("peerPidFd", Napi::Function::New<AskPeerPidFd>(env));
}

}  // namespace fdpass
