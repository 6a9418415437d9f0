#include "convert.h"

#include <cstring>

#include "env_data.h"
#include "sys_error.h"

namespace fdpass {

bool FromScript(napi_env env, napi_value value, std::optional<int>* to) {
  return napi_get_value_int32(env, value, &to->emplace()) == napi_ok;
}

bool FromScript(napi_env env, napi_value value, std::optional<bool>* to) {
  return napi_get_value_bool(env, value, &to->emplace()) == napi_ok;
}

bool FromScript(napi_env env, napi_value value, std::optional<std::string>* to) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok) return false;
  to->emplace(size, '\0');
  return napi_get_value_string_utf8(env, value, (*to)->data(), size + 1, nullptr) == napi_ok;
}

bool FromScript(napi_env env, napi_value value, std::optional<BorrowedFd>* to) {
  int32_t number = -1;
  const napi_status status = napi_get_value_int32(env, value, &number);
  to->emplace(number);
  return status == napi_ok;
}

bool FromScript(napi_env env, napi_value value, std::optional<Bytes>* to) {
  napi_typedarray_type type = napi_uint8_array;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status =
      napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
  const bool wide = type == napi_int32_array || type == napi_uint32_array;
  *to = {static_cast<uint8_t*>(data), wide ? length * sizeof(int32_t) : length, value};
  return status == napi_ok;
}

bool FromScript(napi_env env, napi_value value, std::optional<std::vector<iovec>>* to) {
  uint32_t count = 0;
  if (napi_get_array_length(env, value, &count) != napi_ok) return false;
  auto& vectors = to->emplace(count);
  for (uint32_t i = 0; i < count; i++) {
    napi_value element = nullptr;
    std::optional<Bytes> bytes;
    if (napi_get_element(env, value, i, &element) != napi_ok) return false;
    if (!FromScript(env, element, &bytes)) return false;
    vectors[i] = {bytes->data, bytes->size};
  }
  return true;
}

bool FromScript(napi_env env, napi_value value, std::optional<UnixAddress>* to) {
  std::optional<Bytes> bytes;
  if (!FromScript(env, value, &bytes)) return false;
  const auto address = UnixAddress::FromSunPath(bytes->data, bytes->size);
  if (address.ok()) *to = address.value();
  return address.ok();
}

bool FromScript(napi_env env, napi_value value, std::optional<ucred>* to) {
  std::optional<Bytes> triple;
  if (!FromScript(env, value, &triple) || triple->size != sizeof(ucred)) return false;
  std::memcpy(&to->emplace(), triple->data, sizeof(ucred));
  return true;
}

bool FromScript(napi_env env, napi_value value, std::optional<Callback>* to) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  *to = {value};
  return type == napi_function;
}

void RefuseArguments(napi_env env) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE",
                        "fdpass: the addon was called with a wrong argument. Please report this");
}

napi_value FromInt(napi_env env, int number) {
  napi_value value = nullptr;
  napi_create_int32(env, number, &value);
  return value;
}

napi_value FromObject(napi_env env, void* object, napi_finalize finalize) {
  napi_value handle = nullptr;
  if (napi_create_external(env, object, finalize, nullptr, &handle) != napi_ok) {
    finalize(env, object, nullptr);
  }
  return handle;
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
