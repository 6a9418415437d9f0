// JS values to core types and back. TypeScript has checked them: a wrong one here is a bug and
// aborts.
#pragma once

#include <napi.h>

#include <vector>

#include "../core/inet_address.h"
#include "../core/result.h"
#include "../core/unique_fd.h"
#include "../core/unix_address.h"

namespace fdpass {

struct Bytes {
  uint8_t* data;
  size_t size;  // in bytes
};

// The checks behind every conversion: the status is ok, or the process stops with `what`.
void Assert(bool holds, const char* what);

// Fills `arguments`, with undefined where the caller gave none. Gives how many it gave, at most
// `count`.
size_t GetArguments(napi_env env, napi_callback_info info, napi_value* arguments, size_t count);
void Export(napi_env env, napi_value exports, const char* name, napi_callback function);

int ToInt(napi_env env, napi_value value);
bool ToBool(napi_env env, napi_value value);
bool IsUndefined(napi_env env, napi_value value);
Bytes ToBytes(napi_env env, napi_value typed_array);

// An array of Uint8Arrays, for readv(2) and its like.
std::vector<iovec> ToVectors(napi_env env, napi_value buffers);

inline BorrowedFd ToFd(napi_env env, napi_value value) { return BorrowedFd(ToInt(env, value)); }

// From the sun_path image that UnixAddress of src/ts/fd/address.ts made.
UnixAddress ToUnixAddress(napi_env env, napi_value sun_path);
Napi::Value FromUnixAddress(Napi::Env env, const UnixAddress& address);

// Gives the number away: the JS side owns it from here.
Napi::Value FromFd(Napi::Env env, UniqueFd fd);
// The same for a call that may have failed: throws.
Napi::Value FromFd(Napi::Env env, Result<UniqueFd> result);

}  // namespace fdpass
