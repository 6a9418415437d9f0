// State of one Node environment (the main thread or one worker thread) and its end.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstddef>

namespace fdpass {

class Watcher;

// Created when the addon is loaded into an environment, deleted with it. Everything here runs on
// the environment's own thread.
class EnvData {
 public:
  static void Install(napi_env env);
  static EnvData* Of(napi_env env);

  uv_loop_t* loop() const { return loop_; }

  // Called by Watcher around the life of its libuv handle.
  void Add(Watcher* watcher);
  void Remove(Watcher* watcher);

 private:
  explicit EnvData(napi_env env);
  static void OnCleanup(napi_async_cleanup_hook_handle handle, void* data);
  void FinishCleanupWhenIdle();

  uv_loop_t* loop_ = nullptr;
  Watcher* first_ = nullptr;
  // Node waits for this hook to be removed before it closes the loop. Null once it was.
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool ending_ = false;
};

}  // namespace fdpass
