// ThreadWatcher: readiness from a thread of ours, where libuv has none to give: Bun and Deno.
#pragma once

#include "poll_queue.h"
#include "watcher.h"

namespace fdpass {

class ThreadWatcher final : public Watcher {
 public:
  ThreadWatcher(napi_env env, EnvData* env_data, PollQueue* queue, UniqueFd fd);

  // What the thread has seen, as UV_READABLE and so on. May be the end of this object.
  void OnReport(int reported);
  // Asks for the next report, if something is wanted.
  void Rearm();

 private:
  Result<void> Attach() override;
  void Arm(int events) override;
  void Disarm() override;
  void KeepLoop(bool keep) override;
  Detached Detach() override;

  PollQueue* queue_;
  uint64_t key_ = 0;
  bool keeps_loop_ = false;
};

}  // namespace fdpass
