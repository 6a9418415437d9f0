// State of one Node environment (the main thread or one worker thread) and its end.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstddef>
#include <vector>

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

  // Descriptors whose number JS holds. A worker thread that is terminated runs no finalizer of JS:
  // what is still here at the end is closed with the environment.
  void Own(int fd);
  void Disown(int fd);

 private:
  explicit EnvData(napi_env env);
  static void OnCleanup(napi_async_cleanup_hook_handle handle, void* data);
  void FinishCleanupWhenIdle();
  void CloseOwned();

  uv_loop_t* loop_ = nullptr;
  Watcher* first_ = nullptr;
  std::vector<bool> owned_;  // indexed by number
  // Node waits for this hook to be removed before it closes the loop. Null once it was.
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool ending_ = false;
};

}  // namespace fdpass
