// core/process_ops.h for JS.
#include "../core/process_ops.h"

#include "bindings.h"
#include "convert.h"
#include "script_function.h"
#include "sys_error.h"

namespace fdpass {

namespace {

// peekEndedChild(): pid or 0
Napi::Value PeekChild(Napi::Env env) {
  const auto pid = PeekEndedChild();
  if (pid.ok()) return Napi::Number::New(env, pid.value());
  Throw(env, pid.error());
  return env.Undefined();
}

// reapChild(pid): boolean
Napi::Value Reap(Napi::Env env, int pid) {
  const auto reaped = ReapChild(pid);
  if (reaped.ok()) return Napi::Boolean::New(env, reaped.value());
  Throw(env, reaped.error());
  return env.Undefined();
}

}  // namespace

void ExportProcessBinding(Napi::Env env, Napi::Object exports) {
  Export<PeekChild>(env, exports, "peekEndedChild");
  Export<Reap>(env, exports, "reapChild");
}

}  // namespace fdpass
