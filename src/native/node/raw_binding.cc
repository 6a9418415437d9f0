// core/raw_io.h and the questions about a socket that only RawSocket asks, for JS. Not made for
// speed.
#include "../core/raw_io.h"

#include "../core/fd_ops.h"
#include "../core/socket_ops.h"
#include "bindings.h"
#include "convert.h"
#include "sys_error.h"

namespace fdpass {

namespace {

template <typename T>
Napi::Value NumberOrThrow(Napi::Env env, const Result<T>& result) {
  if (result.ok()) return Napi::Number::New(env, static_cast<double>(result.value()));
  Throw(env, result.error());
  return env.Undefined();
}

Napi::Array FromFds(Napi::Env env, std::vector<UniqueFd> fds) {
  Napi::Array numbers = Napi::Array::New(env, fds.size());
  for (uint32_t i = 0; i < fds.size(); i++) numbers.Set(i, FromFd(env, std::move(fds[i])));
  return numbers;
}

Napi::Array FromOthers(Napi::Env env, const std::vector<OtherControl>& others) {
  Napi::Array list = Napi::Array::New(env, others.size());
  for (uint32_t i = 0; i < others.size(); i++) {
    Napi::Object one = Napi::Object::New(env);
    one.Set("level", others[i].level);
    one.Set("type", others[i].type);
    one.Set("data", Napi::Buffer<uint8_t>::Copy(env, others[i].data.data(), others[i].data.size()));
    list.Set(i, one);
  }
  return list;
}

// receiveRaw(fd, buffers, controlSize, flags): { size, flags, sunPath, fds, pidFd?, credentials?,
// others }
Napi::Value Receive(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<iovec> buffers = ToVectors(env, info[1]);
  auto result = ReceiveRaw(ToFd(env, info[0]), buffers.data(), buffers.size(),
                           static_cast<size_t>(ToInt(env, info[2])), ToInt(env, info[3]));
  if (!result.ok()) {
    Throw(env, result.error());
    return env.Undefined();
  }
  RawReceived& received = result.value();
  Napi::Object message = Napi::Object::New(env);
  message.Set("fds", FromFds(env, std::move(received.fds)));
  if (received.control.pidfd.valid()) {
    message.Set("pidFd", FromFd(env, std::move(received.control.pidfd)));
  }
  if (const auto& credentials = received.control.credentials) {
    Napi::Array triple = Napi::Array::New(env, 3);
    triple.Set(uint32_t{0}, credentials->pid);
    triple.Set(uint32_t{1}, credentials->uid);
    triple.Set(uint32_t{2}, credentials->gid);
    message.Set("credentials", triple);
  }
  message.Set("size", Napi::Number::New(env, static_cast<double>(received.size)));
  message.Set("flags", received.flags);
  message.Set("sunPath", FromUnixAddress(env, received.from));
  message.Set("others", FromOthers(env, received.others));
  return message;
}

// getOption(fd, level, name): number
Napi::Value GetIntOption(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return NumberOrThrow(env,
                       GetOption(ToFd(env, info[0]), ToInt(env, info[1]), ToInt(env, info[2])));
}

// setOption(fd, level, name, value)
Napi::Value SetIntOption(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return ThrowOnError(env, SetOption(ToFd(env, info[0]), ToInt(env, info[1]), ToInt(env, info[2]),
                                     ToInt(env, info[3])));
}

// poll(fd, events): number
Napi::Value PollFd(const Napi::CallbackInfo& info) {
  return NumberOrThrow(info.Env(), Poll(ToFd(info.Env(), info[0]), ToInt(info.Env(), info[1])));
}

// queuedBytes(fd): number
Napi::Value AskQueuedBytes(const Napi::CallbackInfo& info) {
  return NumberOrThrow(info.Env(), QueuedBytes(ToFd(info.Env(), info[0])));
}

// cookie(fd): bigint
Napi::Value AskCookie(const Napi::CallbackInfo& info) {
  auto cookie = Cookie(ToFd(info.Env(), info[0]));
  if (cookie.ok()) return Napi::BigInt::New(info.Env(), cookie.value());
  Throw(info.Env(), cookie.error());
  return info.Env().Undefined();
}

}  // namespace

void ExportRawBinding(Napi::Env env, Napi::Object exports) {
  exports.Set("receiveRaw", Napi::Function::New<Receive>(env));
  exports.Set("getOption", Napi::Function::New<GetIntOption>(env));
  exports.Set("setOption", Napi::Function::New<SetIntOption>(env));
  exports.Set("poll", Napi::Function::New<PollFd>(env));
  exports.Set("queuedBytes", Napi::Function::New<AskQueuedBytes>(env));
  exports.Set("cookie", Napi::Function::New<AskCookie>(env));
}

}  // namespace fdpass
