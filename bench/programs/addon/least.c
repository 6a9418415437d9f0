// The least that a socket addon of Node can do: readiness from the loop, one buffer for all
// messages, one callback, one call.
#include <node_api.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

struct watcher {
  uv_poll_t handle;
  napi_env env;
  napi_async_context context;
  napi_ref callback;
  int fd;
  void* data;
  size_t size;
};

// callback(bytes): 0 at the end
static void OnReady(uv_poll_t* handle, int status, int events) {
  struct watcher* self = (struct watcher*)handle;
  (void)status;
  (void)events;
  const ssize_t received = recv(self->fd, self->data, self->size, MSG_DONTWAIT);
  if (received <= 0) uv_poll_stop(handle);
  napi_handle_scope scope;
  napi_value callback;
  napi_value bytes;
  napi_open_handle_scope(self->env, &scope);
  napi_get_reference_value(self->env, self->callback, &callback);
  napi_create_int32(self->env, received > 0 ? (int32_t)received : 0, &bytes);
  napi_make_callback(self->env, self->context, callback, callback, 1, &bytes, NULL);
  napi_close_handle_scope(self->env, scope);
}

// watch(fd, buffer, callback): for as long as the process lives
static napi_value Watch(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  size_t count = 3;
  napi_value name;
  napi_ref kept;
  uv_loop_t* loop;
  struct watcher* self = calloc(1, sizeof *self);
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  self->env = env;
  napi_get_value_int32(env, arguments[0], &self->fd);
  napi_get_typedarray_info(env, arguments[1], NULL, &self->size, &self->data, NULL, NULL);
  napi_create_reference(env, arguments[1], 1, &kept);
  napi_create_reference(env, arguments[2], 1, &self->callback);
  napi_create_string_utf8(env, "least", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &self->context);
  napi_get_uv_event_loop(env, &loop);
  uv_poll_init(loop, &self->handle, self->fd);
  uv_poll_start(&self->handle, UV_READABLE, OnReady);
  return NULL;
}

// send(fd, buffer)
static napi_value Send(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  size_t count = 2;
  int32_t fd;
  void* data;
  size_t size;
  napi_value sent;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  napi_get_value_int32(env, arguments[0], &fd);
  napi_get_typedarray_info(env, arguments[1], NULL, &size, &data, NULL, NULL);
  napi_create_int32(env, (int32_t)send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL), &sent);
  return sent;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "watch", NAPI_AUTO_LENGTH, Watch, NULL, &function);
  napi_set_named_property(env, exports, "watch", function);
  napi_create_function(env, "send", NAPI_AUTO_LENGTH, Send, NULL, &function);
  napi_set_named_property(env, exports, "send", function);
  return exports;
}
