// JS values to core types and back.
#pragma once

#include <napi.h>

#include <optional>
#include <string>
#include <vector>

#include "../core/inet_address.h"
#include "../core/result.h"
#include "../core/unique_fd.h"
#include "../core/unix_address.h"

namespace fdpass {

struct Bytes {
  uint8_t* data;
  size_t size;  // in bytes
  napi_value array;
};

struct Callback {
  napi_value function;
};

// FromScript() sets `to` to what a value is; false if it is no such thing. TypeScript has checked
// what callers give, so false is a bug; or a worker thread that is being terminated: calls that
// make objects fail there, and JS still takes a few steps with the undefined that they gave.
bool FromScript(napi_env env, napi_value value, std::optional<int>* to);
bool FromScript(napi_env env, napi_value value, std::optional<bool>* to);
bool FromScript(napi_env env, napi_value value, std::optional<std::string>* to);
bool FromScript(napi_env env, napi_value value, std::optional<BorrowedFd>* to);
bool FromScript(napi_env env, napi_value value, std::optional<Callback>* to);
// A typed array.
bool FromScript(napi_env env, napi_value value, std::optional<Bytes>* to);
// An array of typed arrays, for readv(2) and its like.
bool FromScript(napi_env env, napi_value value, std::optional<std::vector<iovec>>* to);
// The sun_path image that UnixAddress of src/ts/fd/address.ts made.
bool FromScript(napi_env env, napi_value value, std::optional<UnixAddress>* to);
// An Int32Array [pid, uid, gid].
bool FromScript(napi_env env, napi_value value, std::optional<ucred>* to);

// The object behind an external handle.
template <typename T>
bool FromScript(napi_env env, napi_value value, std::optional<T*>* to) {
  void* object = nullptr;
  if (napi_get_value_external(env, value, &object) != napi_ok) return false;
  *to = static_cast<T*>(object);
  return true;
}

// Undefined is an empty T.
template <typename T>
bool FromScript(napi_env env, napi_value value, std::optional<std::optional<T>>* to) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  auto* inner = &to->emplace();
  return type == napi_undefined || FromScript(env, value, inner);
}

// Leaves a TypeError pending, or nothing where the thread is being terminated.
void RefuseArguments(napi_env env);

napi_value FromInt(napi_env env, int number);
// A handle on `object`, which `finalize` frees: at once where the thread is being terminated.
napi_value FromObject(napi_env env, void* object, napi_finalize finalize);
Napi::Value FromUnixAddress(Napi::Env env, const UnixAddress& address);

// Gives the number away: the JS side owns it from here.
Napi::Value FromFd(Napi::Env env, UniqueFd fd);
// The same for a call that may have failed: throws.
Napi::Value FromFd(Napi::Env env, Result<UniqueFd> result);

}  // namespace fdpass
