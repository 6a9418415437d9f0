// core/fd_ops.h and core/describe.h for JS.
#include <string>

#include "../core/describe.h"
#include "../core/fd_ops.h"
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "sys_error.h"

namespace fdpass {

namespace {

// duplicate(fd): fd
Napi::Value DuplicateFd(const Napi::CallbackInfo& info) {
  return FromFd(info.Env(), Duplicate(ToFd(info.Env(), info[0])));
}

// Takes the number; an error of close(2) cannot be acted on.
void Close(EnvData* env_data, int number) {
  const UniqueFd fd(number);
  env_data->Disown(number);
}

// closeFd(fd). As often called as a message is received with one: in plain Node-API.
napi_value CloseFd(napi_env env, napi_callback_info info) {
  napi_value argument;
  GetArguments(env, info, &argument, 1);
  Close(EnvData::Of(env), ToInt(env, argument));
  return nullptr;
}

// closeFds(fds, count)
napi_value CloseFds(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  GetArguments(env, info, arguments, 2);
  const auto* numbers = reinterpret_cast<const int*>(ToBytes(env, arguments[0]).data);
  const int count = ToInt(env, arguments[1]);
  EnvData* env_data = EnvData::Of(env);
  for (int i = 0; i < count; i++) Close(env_data, numbers[i]);
  return nullptr;
}

// ownFd(fd), disownFd(fd)
template <void (EnvData::*Call)(int)>
void WithEnvData(const Napi::CallbackInfo& info) {
  (EnvData::Of(info.Env())->*Call)(ToInt(info.Env(), info[0]));
}

// redirect(from, to)
Napi::Value RedirectFd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return ThrowOnError(env, Redirect(ToFd(env, info[0]), ToFd(env, info[1])));
}

// setMode(fd, mode)
Napi::Value SetFdMode(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto mode = static_cast<unsigned>(ToInt(env, info[1]));
  return ThrowOnError(env, SetMode(ToFd(env, info[0]), mode));
}

// lockFile(path): fd. One character of `path` is one byte, as in a 'latin1' Buffer: a path need not
// be text.
Napi::Value Lock(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  size_t size = 0;
  Assert(napi_get_value_string_latin1(env, info[0], nullptr, 0, &size) == napi_ok,
         "expected a string");
  std::string path(size, '\0');
  napi_get_value_string_latin1(env, info[0], path.data(), size + 1, nullptr);
  return FromFd(env, LockFile(path.c_str()));
}

// describe(fd): { mode, inode, device, domain, type, protocol, listening }, -1 where it is no
// socket
Napi::Value DescribeFd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto result = Describe(ToFd(env, info[0]));
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
  exports.Set("duplicate", Napi::Function::New<DuplicateFd>(env));
  Export(env, exports, "closeFd", CloseFd);
  Export(env, exports, "closeFds", CloseFds);
  exports.Set("ownFd", Napi::Function::New<WithEnvData<&EnvData::Own>>(env));
  exports.Set("disownFd", Napi::Function::New<WithEnvData<&EnvData::Disown>>(env));
  exports.Set("redirect", Napi::Function::New<RedirectFd>(env));
  exports.Set("setMode", Napi::Function::New<SetFdMode>(env));
  exports.Set("lockFile", Napi::Function::New<Lock>(env));
  exports.Set("describe", Napi::Function::New<DescribeFd>(env));
}

}  // namespace fdpass
