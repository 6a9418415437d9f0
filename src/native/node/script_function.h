// Export<Function>(): a function of C++ with typed parameters as a function of JS. It is called
// only with arguments that fit.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "convert.h"

namespace fdpass {

namespace detail {

template <auto Function>
struct ScriptFunction;

template <typename Return, typename... Parameters, Return (*Function)(Napi::Env, Parameters...)>
struct ScriptFunction<Function> {
  static napi_value Call(napi_env env, napi_callback_info info) {
    return CallWith(env, info, std::index_sequence_for<Parameters...>());
  }

  template <size_t... Index>
  static napi_value CallWith(napi_env env, napi_callback_info info, std::index_sequence<Index...>) {
    napi_value values[sizeof...(Parameters) + 1];
    size_t count = sizeof...(Parameters);
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
    std::tuple<std::optional<std::decay_t<Parameters>>...> arguments;
    const bool fit = (FromScript(env, values[Index], &std::get<Index>(arguments)) && ...);
    if (!fit) {
      RefuseArguments(env);
      return nullptr;
    }
    if constexpr (std::is_void_v<Return>) {
      Function(env, *std::get<Index>(arguments)...);
      return nullptr;
    } else {
      return Function(env, *std::get<Index>(arguments)...);
    }
  }
};

}  // namespace detail

// `Function` takes the environment and the arguments, of types that FromScript knows. A null
// napi_value is undefined for JS.
template <auto Function>
void Export(napi_env env, napi_value exports, const char* name) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, detail::ScriptFunction<Function>::Call, nullptr,
                       &value);
  napi_set_named_property(env, exports, name, value);
}

}  // namespace fdpass
