// core/fd_ops.h and core/describe.h for JS.
#include <string>

#include "../core/describe.h"
#include "../core/fd_ops.h"
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "script_function.h"
#include "sys_error.h"

namespace fdpass {

namespace {

// duplicate(fd): fd
Napi::Value DuplicateFd(Napi::Env env, BorrowedFd fd) { return FromFd(env, Duplicate(fd)); }

// Takes the number; an error of close(2) cannot be acted on.
void Close(EnvData* env_data, int number) {
  const UniqueFd fd(number);
  env_data->Disown(number);
}

// closeFd(fd)
void CloseFd(Napi::Env env, int number) { Close(EnvData::Of(env), number); }

// closeFds(fds, count)
void CloseFds(Napi::Env env, Bytes fds, int count) {
  const auto* numbers = reinterpret_cast<const int*>(fds.data);
  EnvData* env_data = EnvData::Of(env);
  CloseAll(numbers, static_cast<size_t>(count));
  for (int i = 0; i < count; i++) env_data->Disown(numbers[i]);
}

// ownFd(fd), disownFd(fd)
template <void (EnvData::*Call)(int)>
void WithEnvData(Napi::Env env, int number) {
  (EnvData::Of(env)->*Call)(number);
}

// redirect(from, to)
Napi::Value RedirectFd(Napi::Env env, BorrowedFd from, BorrowedFd to) {
  return ThrowOnError(env, Redirect(from, to));
}

// setMode(fd, mode)
Napi::Value SetFdMode(Napi::Env env, BorrowedFd fd, int mode) {
  return ThrowOnError(env, SetMode(fd, static_cast<unsigned>(mode)));
}

// lockFile(path): fd. Bytes: a path need not be text.
Napi::Value Lock(Napi::Env env, Bytes path) {
  const std::string text(reinterpret_cast<const char*>(path.data), path.size);
  return FromFd(env, LockFile(text.c_str()));
}

// describe(fd): { mode, inode, device, domain, type, protocol, listening }, -1 where it is no
// socket
Napi::Value DescribeFd(Napi::Env env, BorrowedFd fd) {
  auto result = Describe(fd);
  if (!result.ok()) {
    Throw(env, result.error());
    return env.Undefined();
  }
  const FdDescription& description = result.value();
  Napi::Object object = Napi::Object::New(env);
  object.Set("mode", Napi::Number::New(env, description.mode));
  object.Set("inode", Napi::BigInt::New(env, description.inode));
  object.Set("device", Napi::BigInt::New(env, description.device));
  object.Set("domain", Napi::Number::New(env, description.domain));
  object.Set("type", Napi::Number::New(env, description.type));
  object.Set("protocol", Napi::Number::New(env, description.protocol));
  object.Set("listening", Napi::Number::New(env, description.listening));
  return object;
}

}  // namespace

void ExportFdBinding(Napi::Env env, Napi::Object exports) {
  Export<DuplicateFd>(env, exports, "duplicate");
  Export<CloseFd>(env, exports, "closeFd");
  Export<CloseFds>(env, exports, "closeFds");
  Export<WithEnvData<&EnvData::Own>>(env, exports, "ownFd");
  Export<WithEnvData<&EnvData::Disown>>(env, exports, "disownFd");
  Export<RedirectFd>(env, exports, "redirect");
  Export<SetFdMode>(env, exports, "setMode");
  Export<Lock>(env, exports, "lockFile");
  Export<DescribeFd>(env, exports, "describe");
}

}  // namespace fdpass
