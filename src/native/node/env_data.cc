#include "env_data.h"

#include "../core/unique_fd.h"
#include "convert.h"
#include "watcher.h"

namespace fdpass {

void EnvData::Install(napi_env env) {
  auto* data = new EnvData(env);
  const auto finalize = [](napi_env, void* self, void*) { delete static_cast<EnvData*>(self); };
  Assert(napi_set_instance_data(env, data, finalize, nullptr) == napi_ok, "no instance data");
}

EnvData* EnvData::Of(napi_env env) {
  void* data = nullptr;
  Assert(napi_get_instance_data(env, &data) == napi_ok, "no instance data");
  return static_cast<EnvData*>(data);
}

EnvData::EnvData(napi_env env) {
  Assert(napi_get_uv_event_loop(env, &loop_) == napi_ok, "no event loop");
  // Registered before any handle can be live.
  Assert(napi_add_async_cleanup_hook(env, OnCleanup, this, &hook_) == napi_ok, "no cleanup hook");
}

void EnvData::Add(Watcher* watcher) {
  watcher->next_ = first_;
  if (first_ != nullptr) first_->previous_ = watcher;
  first_ = watcher;
}

void EnvData::Remove(Watcher* watcher) {
  if (watcher->previous_ != nullptr) watcher->previous_->next_ = watcher->next_;
  if (watcher->next_ != nullptr) watcher->next_->previous_ = watcher->previous_;
  if (first_ == watcher) first_ = watcher->next_;
  watcher->next_ = watcher->previous_ = nullptr;
  FinishCleanupWhenIdle();
}

void EnvData::Own(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= owned_.size()) owned_.resize(index + 1);
  owned_[index] = true;
}

void EnvData::Disown(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index < owned_.size()) owned_[index] = false;
}

void EnvData::CloseOwned() {
  for (size_t fd = 0; fd < owned_.size(); fd++) {
    if (owned_[fd]) UniqueFd(static_cast<int>(fd)).reset();
  }
  owned_.clear();
}

// The environment ends: process exit or the termination of a worker thread. No JS runs from here.
void EnvData::OnCleanup(napi_async_cleanup_hook_handle, void* data) {
  auto* self = static_cast<EnvData*>(data);
  self->ending_ = true;
  // Watchers leave the list only when their handle has closed, in a later turn of the loop.
  for (Watcher* watcher = self->first_; watcher != nullptr; watcher = watcher->next_) {
    watcher->Close();
  }
  self->CloseOwned();
  self->FinishCleanupWhenIdle();
}

void EnvData::FinishCleanupWhenIdle() {
  if (!ending_ || first_ != nullptr || hook_ == nullptr) return;
  napi_async_cleanup_hook_handle hook = hook_;
  hook_ = nullptr;
  napi_remove_async_cleanup_hook(hook);
}

}  // namespace fdpass
