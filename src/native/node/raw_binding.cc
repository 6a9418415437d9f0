// core/raw_io.h and the questions about a socket that only RawSocket asks, for JS. Not made for
// speed.
#include "../core/raw_io.h"

#include "../core/fd_ops.h"
#include "../core/socket_ops.h"
#include "bindings.h"
#include "convert.h"
#include "script_function.h"
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
Napi::Value Receive(Napi::Env env, BorrowedFd fd, std::vector<iovec>& buffers, int control_size,
                    int flags) {
  auto result =
      ReceiveRaw(fd, buffers.data(), buffers.size(), static_cast<size_t>(control_size), flags);
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
Napi::Value GetIntOption(Napi::Env env, BorrowedFd fd, int level, int name) {
  return NumberOrThrow(env, GetOption(fd, level, name));
}

// setOption(fd, level, name, value)
Napi::Value SetIntOption(Napi::Env env, BorrowedFd fd, int level, int name, int value) {
  return ThrowOnError(env, SetOption(fd, level, name, value));
}

// poll(fd, events): number
Napi::Value PollFd(Napi::Env env, BorrowedFd fd, int events) {
  return NumberOrThrow(env, Poll(fd, events));
}

// queuedBytes(fd): number
Napi::Value AskQueuedBytes(Napi::Env env, BorrowedFd fd) {
  return NumberOrThrow(env, QueuedBytes(fd));
}

// cookie(fd): bigint
Napi::Value AskCookie(Napi::Env env, BorrowedFd fd) {
  auto cookie = Cookie(fd);
  if (cookie.ok()) return Napi::BigInt::New(env, cookie.value());
  Throw(env, cookie.error());
  return env.Undefined();
}

}  // namespace

void ExportRawBinding(Napi::Env env, Napi::Object exports) {
  Export<Receive>(env, exports, "receiveRaw");
  Export<GetIntOption>(env, exports, "getOption");
  Export<SetIntOption>(env, exports, "setOption");
  Export<PollFd>(env, exports, "poll");
  Export<AskQueuedBytes>(env, exports, "queuedBytes");
  Export<AskCookie>(env, exports, "cookie");
}

}  // namespace fdpass
