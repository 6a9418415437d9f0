#include "convert.h"

#include <algorithm>

#include "env_data.h"
#include "sys_error.h"

namespace fdpass {

void Assert(bool holds, const char* what) {
  if (!holds) napi_fatal_error("fdpass", NAPI_AUTO_LENGTH, what, NAPI_AUTO_LENGTH);
}

size_t GetArguments(napi_env env, napi_callback_info info, napi_value* arguments, size_t count) {
  size_t given = count;
  Assert(napi_get_cb_info(env, info, &given, arguments, nullptr, nullptr) == napi_ok, "arguments");
  return std::min(given, count);
}

void Export(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  napi_set_named_property(env, exports, name, value);
}

int ToInt(napi_env env, napi_value value) {
  int32_t number = 0;
  Assert(napi_get_value_int32(env, value, &number) == napi_ok, "expected a number");
  return number;
}

bool ToBool(napi_env env, napi_value value) {
  bool flag = false;
  Assert(napi_get_value_bool(env, value, &flag) == napi_ok, "expected a boolean");
  return flag;
}

bool IsUndefined(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

Bytes ToBytes(napi_env env, napi_value typed_array) {
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status =
      napi_get_typedarray_info(env, typed_array, &type, &length, &data, nullptr, nullptr);
  Assert(status == napi_ok, "expected a typed array");
  const bool wide = type == napi_int32_array || type == napi_uint32_array;
  return {static_cast<uint8_t*>(data), wide ? length * sizeof(int32_t) : length};
}

std::vector<iovec> ToVectors(napi_env env, napi_value buffers) {
  uint32_t count = 0;
  Assert(napi_get_array_length(env, buffers, &count) == napi_ok, "expected an array");
  std::vector<iovec> vectors(count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value buffer = nullptr;
    Assert(napi_get_element(env, buffers, i, &buffer) == napi_ok, "expected an element");
    const Bytes bytes = ToBytes(env, buffer);
    vectors[i] = {bytes.data, bytes.size};
  }
  return vectors;
}

UnixAddress ToUnixAddress(napi_env env, napi_value sun_path) {
  const Bytes bytes = ToBytes(env, sun_path);
  auto address = UnixAddress::FromSunPath(bytes.data, bytes.size);
  Assert(address.ok(), "expected a valid sun_path");
  return address.value();
}

Napi::Value FromUnixAddress(Napi::Env env, const UnixAddress& address) {
  return Napi::Buffer<uint8_t>::Copy(env, address.sun_path(), address.sun_path_size());
}

Napi::Value FromFd(Napi::Env env, UniqueFd fd) {
  EnvData::Of(env)->Own(fd.get());
  return Napi::Number::New(env, fd.release());
}

Napi::Value FromFd(Napi::Env env, Result<UniqueFd> result) {
  if (result.ok()) return FromFd(env, std::move(result.value()));
  Throw(env, result.error());
  return env.Undefined();
}

}  // namespace fdpass
