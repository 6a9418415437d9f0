#include "sys_error.h"

#include <uv.h>

#include <string>

namespace fdpass {

void Throw(Napi::Env env, SysError error) {
  char code[32];
  uv_err_name_r(-error.code, code, sizeof(code));
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
