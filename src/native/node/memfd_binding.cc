// core/memfd.h for JS.
#include "../core/memfd.h"

#include "bindings.h"
#include "convert.h"
#include "sys_error.h"

namespace fdpass {

namespace {

// createMemfd(name): fd
Napi::Value Create(const Napi::CallbackInfo& info) {
  return FromFd(info.Env(), CreateMemfd(info[0].As<Napi::String>().Utf8Value().c_str()));
}

// seal(fd)
Napi::Value SealFd(const Napi::CallbackInfo& info) {
  return ThrowOnError(info.Env(), Seal(ToFd(info.Env(), info[0])));
}

// isSealed(fd): boolean
Napi::Value AskSealed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), IsSealed(ToFd(info.Env(), info[0])));
}

}  // namespace

void ExportMemfdBinding(Napi::Env env, Napi::Object exports) {
  exports.Set("createMemfd", Napi::Function::New<Create>(env));
  exports.Set("seal", Napi::Function::New<SealFd>(env));
  exports.Set("isSealed", Napi::Function::New<AskSealed>(env));
}

}  // namespace fdpass
