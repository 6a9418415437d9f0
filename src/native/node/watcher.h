// Watcher: readiness of one descriptor on its environment's loop.
#pragma once

#include <node_api.h>
#include <uv.h>

#include "../core/result.h"
#include "../core/unique_fd.h"

namespace fdpass {

class EnvData;

// Watches a duplicate of its own, so that two watchers may watch one descriptor and nobody can
// close the number under libuv. The object lives until its libuv handle has closed and JS has let
// go.
class Watcher {
 public:
  // `callback` is called with the ready events. It is held strongly only while Keep() says so.
  static Result<Watcher*> Open(napi_env env, BorrowedFd fd, napi_value callback);

  // Events are UV_READABLE, UV_WRITABLE, UV_DISCONNECT; level-triggered. Does nothing once closed.
  void Start(int events);
  void Stop();
  // What it keeps alive: its owner in JS (so that it is not collected) and the event loop.
  void Keep(bool owner, bool loop);
  void Close();              // idempotent
  void ReleaseFromScript();  // JS holds no handle any more; closes if nobody has

 private:
  friend class EnvData;  // the list of live watchers

  Watcher(napi_env env, EnvData* env_data, UniqueFd fd);
  ~Watcher() = default;
  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnClosed(uv_handle_t* handle);
  void Arm();
  void Hold(bool hold);
  void CallScript(int events);
  void DeleteWhenUnused();

  napi_env env_;
  EnvData* env_data_;
  UniqueFd fd_;
  uv_poll_t handle_;
  napi_ref callback_ = nullptr;
  napi_async_context context_ = nullptr;
  int events_ = 0;  // what was asked for; 0 is stopped
  bool held_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool script_holds_ = true;
  Watcher* previous_ = nullptr;
  Watcher* next_ = nullptr;
};

}  // namespace fdpass
