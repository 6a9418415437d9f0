// core/memfd.h for JS.
#include "../core/memfd.h"

#include "bindings.h"
#include "convert.h"
#include "script_function.h"
#include "sys_error.h"

namespace fdpass {

namespace {

// createMemfd(name): fd
Napi::Value Create(Napi::Env env, const std::string& name) {
  return FromFd(env, CreateMemfd(name.c_str()));
}

// seal(fd)
Napi::Value SealFd(Napi::Env env, BorrowedFd fd) { return ThrowOnError(env, Seal(fd)); }

// isSealed(fd): boolean
Napi::Value AskSealed(Napi::Env env, BorrowedFd fd) {
  return Napi::Boolean::New(env, IsSealed(fd));
}

}  // namespace

void ExportMemfdBinding(Napi::Env env, Napi::Object exports) {
  Export<Create>(env, exports, "createMemfd");
  Export<SealFd>(env, exports, "seal");
  Export<AskSealed>(env, exports, "isSealed");
}

}  // namespace fdpass
