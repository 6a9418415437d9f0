// The steps of which a socket addon is made, each alone: what a crossing costs, a buffer, a
// callback.
#include <node_api.h>
#include <stdint.h>
#include <string.h>

enum { kMessage = 128 };

static char message[kMessage];

static napi_value Nothing(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  return NULL;
}

// The arguments of a send: two numbers, a buffer, two that are undefined. Returns a number.
static napi_value FiveArguments(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  size_t count = 5;
  int32_t first = 0;
  int32_t second = 0;
  void* data = NULL;
  size_t size = 0;
  napi_valuetype type;
  napi_value result = NULL;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_int32(env, arguments[0], &first);
  napi_get_value_int32(env, arguments[1], &second);
  napi_get_typedarray_info(env, arguments[2], NULL, &size, &data, NULL, NULL);
  napi_typeof(env, arguments[3], &type);
  napi_typeof(env, arguments[4], &type);
  napi_create_int32(env, first + second + (int32_t)size, &result);
  return result;
}

static napi_value CopiedBuffer(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value buffer = NULL;
  napi_create_buffer_copy(env, kMessage, message, NULL, &buffer);
  return buffer;
}

// { size, truncated, dropped }: what a message is beside its bytes.
static napi_value Object(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value object = NULL;
  napi_value size = NULL;
  napi_value no = NULL;
  napi_create_object(env, &object);
  napi_create_int32(env, kMessage, &size);
  napi_get_boolean(env, false, &no);
  napi_set_named_property(env, object, "size", size);
  napi_set_named_property(env, object, "truncated", no);
  napi_set_named_property(env, object, "dropped", no);
  return object;
}

static int32_t CallsAnd(napi_env env, napi_callback_info info, napi_value* function) {
  napi_value arguments[2];
  size_t count = 2;
  int32_t calls = 0;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_int32(env, arguments[1], &calls);
  *function = arguments[0];
  return calls;
}

// callFunction(function, times)
static napi_value CallFunction(napi_env env, napi_callback_info info) {
  napi_value function;
  napi_value self = NULL;
  napi_get_undefined(env, &self);
  for (int32_t i = CallsAnd(env, info, &function); i > 0; i--) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_call_function(env, self, function, 0, NULL, NULL);
    napi_close_handle_scope(env, scope);
  }
  return NULL;
}

// makeCallback(function, times): as a watcher of the loop calls JS, with its asynchronous context
static napi_value MakeCallback(napi_env env, napi_callback_info info) {
  napi_value function;
  napi_value resource = NULL;
  napi_value name = NULL;
  napi_async_context context = NULL;
  napi_create_object(env, &resource);
  napi_create_string_utf8(env, "micro", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, resource, name, &context);
  for (int32_t i = CallsAnd(env, info, &function); i > 0; i--) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_make_callback(env, context, resource, function, 0, NULL, NULL);
    napi_close_handle_scope(env, scope);
  }
  napi_async_destroy(env, context);
  return NULL;
}

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback function;
  } all[] = {{"nothing", Nothing},           {"fiveArguments", FiveArguments},
             {"copiedBuffer", CopiedBuffer}, {"object", Object},
             {"callFunction", CallFunction}, {"makeCallback", MakeCallback}};
  memset(message, 1, sizeof message);
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    napi_value function = NULL;
    napi_create_function(env, all[i].name, NAPI_AUTO_LENGTH, all[i].function, NULL, &function);
    napi_set_named_property(env, exports, all[i].name, function);
  }
  return exports;
}
