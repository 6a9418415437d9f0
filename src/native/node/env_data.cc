#include "env_data.h"

#include "../core/unique_fd.h"
#include "assert.h"
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
  Assert(napi_add_env_cleanup_hook(env, OnEnd, this) == napi_ok, "no cleanup hook");
}

uv_loop_t* EnvData::OpenLoop(napi_env env) {
  if (loop_ != nullptr) return loop_;
  Assert(napi_get_uv_event_loop(env, &loop_) == napi_ok, "no event loop");
  // Registered before any handle can be live. Not at once: Deno frees the hook twice if it is
  // removed while it runs (2.9), and has no handles.
  Assert(napi_add_async_cleanup_hook(env, OnEndOfLoop, this, &hook_) == napi_ok, "no async hook");
  return loop_;
}

Result<PollQueue*> EnvData::OpenPollQueue(napi_env env) {
  if (poll_queue_ != nullptr) return poll_queue_;
  auto queue = PollQueue::Open(env);
  if (queue.ok()) poll_queue_ = queue.value();
  return queue;
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
  FinishWhenIdle();
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
void EnvData::OnEnd(void* data) {
  auto* self = static_cast<EnvData*>(data);
  self->has_ended_ = true;
  self->CloseWatchers();
  self->CloseOwned();
}

void EnvData::OnEndOfLoop(napi_async_cleanup_hook_handle, void* data) {
  auto* self = static_cast<EnvData*>(data);
  self->CloseWatchers();
  self->ending_ = true;
  self->FinishWhenIdle();
}

// Some leave the list at once, some when their handle has closed, in a later turn of the loop.
void EnvData::CloseWatchers() {
  for (Watcher* watcher = first_; watcher != nullptr;) {
    Watcher* next = watcher->next_;
    watcher->Close();
    watcher = next;
  }
}

void EnvData::FinishWhenIdle() {
  if (!ending_ || first_ != nullptr || hook_ == nullptr) return;
  napi_async_cleanup_hook_handle hook = hook_;
  hook_ = nullptr;
  napi_remove_async_cleanup_hook(hook);
}

}  // namespace fdpass
