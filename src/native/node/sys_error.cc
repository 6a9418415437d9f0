#include "sys_error.h"

#include <uv.h>

#include <string>

namespace fdpass {

namespace {

// The table of uv.h and not uv_err_name(): Deno and Bun have the names, but not the function.
std::string NameOf(int code) {
  switch (-code) {
#define FDPASS_NAME(name, text) \
  case UV_##name:               \
    return #name;
    UV_ERRNO_MAP(FDPASS_NAME)
#undef FDPASS_NAME
    default:
      return "Unknown system error " + std::to_string(-code);  // as libuv says it
  }
}

}  // namespace

void Throw(Napi::Env env, SysError error) {
  const std::string code = NameOf(error.code);
  Napi::Error js = Napi::Error::New(env, std::string(error.syscall).append(" ").append(code));
  js.Set("errno", Napi::Number::New(env, -error.code));
  js.Set("code", Napi::String::New(env, code));
  js.Set("syscall", Napi::String::New(env, error.syscall));
  js.ThrowAsJavaScriptException();
}

Napi::Value ThrowOnError(Napi::Env env, const Result<void>& result) {
  if (!result.ok()) Throw(env, result.error());
  return env.Undefined();
}

}  // namespace fdpass
