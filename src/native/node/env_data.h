// State of one Node environment (the main thread or one worker thread) and its end.
#pragma once

#include <node_api.h>
#include <uv.h>

#include <cstddef>
#include <vector>

#include "poll_queue.h"

namespace fdpass {

class Watcher;

// Created when the addon is loaded into an environment, deleted with it. Everything here runs on
// the environment's own thread.
class EnvData {
 public:
  static void Install(napi_env env);
  static EnvData* Of(napi_env env);

  ~EnvData() { delete poll_queue_; }
  EnvData(const EnvData&) = delete;
  EnvData& operator=(const EnvData&) = delete;

  // For handles on it. From here the end of the environment waits until they have closed.
  uv_loop_t* OpenLoop(napi_env env);

  // From here readiness comes from a thread. For the runtimes that have no uv_poll_t of use, and
  // before the first watcher.
  void UsePollThread() { has_poll_thread_ = true; }
  bool has_poll_thread() const { return has_poll_thread_; }
  Result<PollQueue*> OpenPollQueue(napi_env env);

  // False where the end of the environment frees async contexts itself, or nobody does: Deno (2.9)
  // calls hooks without a handle scope, has none to open, and aborts in napi_async_destroy().
  bool frees_async_contexts() const { return !has_ended_ || !has_poll_thread_; }

  // Called by Watcher around its life at its source.
  void Add(Watcher* watcher);
  void Remove(Watcher* watcher);

  // Descriptors whose number JS holds. A worker thread that is terminated runs no finalizer of JS:
  // what is still here at the end is closed with the environment.
  void Own(int fd);
  void Disown(int fd);

 private:
  explicit EnvData(napi_env env);
  static void OnEnd(void* data);
  static void OnEndOfLoop(napi_async_cleanup_hook_handle handle, void* data);
  void FinishWhenIdle();
  void CloseWatchers();
  void CloseOwned();

  uv_loop_t* loop_ = nullptr;
  bool has_poll_thread_ = false;
  PollQueue* poll_queue_ = nullptr;
  Watcher* first_ = nullptr;
  std::vector<uint8_t> owned_;  // indexed by number
  // Node waits for this hook to be removed before it closes the loop. Null before and once it was.
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool ending_ = false;     // and the loop waits for its handles
  bool has_ended_ = false;  // for JS
};

}  // namespace fdpass
