// UvWatcher: readiness from the loop of libuv, where there is one: Node.
#pragma once

#include <uv.h>

#include "watcher.h"

namespace fdpass {

class UvWatcher final : public Watcher {
 public:
  UvWatcher(napi_env env, EnvData* env_data, UniqueFd fd);

 private:
  Result<void> Attach() override;
  void Arm(int events) override;
  void Disarm() override;
  void KeepLoop(bool keep) override;
  Detached Detach() override;

  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnClosed(uv_handle_t* handle);

  uv_loop_t* loop_;
  uv_poll_t handle_;
};

}  // namespace fdpass
