#include "thread_watcher.h"

namespace fdpass {

ThreadWatcher::ThreadWatcher(napi_env env, EnvData* env_data, PollQueue* queue, UniqueFd fd)
    : Watcher(env, env_data, std::move(fd)), queue_(queue) {}

Result<void> ThreadWatcher::Attach() {
  auto key = queue_->Add(fd(), this);
  if (!key.ok()) return key.error();
  key_ = key.value();
  return {};
}

void ThreadWatcher::Arm(int events) { queue_->Arm(fd(), key_, events); }

// No system call: one report may still come, and finds that nothing is wanted.
void ThreadWatcher::Disarm() {}

void ThreadWatcher::KeepLoop(bool keep) {
  if (keeps_loop_ == keep) return;
  keeps_loop_ = keep;
  queue_->KeepLoop(keep);
}

Watcher::Detached ThreadWatcher::Detach() {
  KeepLoop(false);
  queue_->Remove(fd(), key_);
  return Detached::kNow;
}

void ThreadWatcher::OnReport(int reported) {
  const int wanted = reported & events();
  if (wanted != 0) Ready(wanted);
}

void ThreadWatcher::Rearm() {
  if (events() != 0) Arm(events());
}

}  // namespace fdpass
