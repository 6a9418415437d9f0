// Turns a core error into a JavaScript error. The only place of the addon that throws.
#pragma once

#include <napi.h>

#include "../core/result.h"

namespace fdpass {

// Leaves an Error pending: message "bind EADDRINUSE", code, negative errno, syscall (as node:net).
void Throw(Napi::Env env, SysError error);

// For calls that give nothing: throws on failure, returns undefined.
Napi::Value ThrowOnError(Napi::Env env, const Result<void>& result);

// For hot paths, where JS reads a count or, below zero, an errno.
template <typename T>
int CountOrErrno(const Result<T>& result) {
  return result.ok() ? static_cast<int>(result.value()) : -result.error().code;
}

}  // namespace fdpass
