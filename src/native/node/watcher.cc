#include "watcher.h"

#include "../core/fd_ops.h"
#include "assert.h"
#include "env_data.h"
#include "thread_watcher.h"
#include "uv_watcher.h"

namespace fdpass {

Watcher::Watcher(napi_env env, EnvData* env_data, UniqueFd fd)
    : env_(env), env_data_(env_data), fd_(std::move(fd)) {}

Result<Watcher*> Watcher::Open(napi_env env, BorrowedFd fd, napi_value callback) {
  auto duplicate = Duplicate(fd);
  if (!duplicate.ok()) return duplicate.error();
  EnvData* env_data = EnvData::Of(env);
  Watcher* watcher;
  if (env_data->has_poll_thread()) {
    auto queue = env_data->OpenPollQueue(env);
    if (!queue.ok()) return queue.error();
    watcher = new ThreadWatcher(env, env_data, queue.value(), std::move(duplicate.value()));
  } else {
    watcher = new UvWatcher(env, env_data, std::move(duplicate.value()));
  }
  const auto attached = watcher->Attach();
  if (!attached.ok()) {
    delete watcher;
    return attached.error();
  }
  env_data->Add(watcher);
  napi_value name;
  Assert(napi_create_string_utf8(env, "FDPASSWATCHER", NAPI_AUTO_LENGTH, &name) == napi_ok, "name");
  Assert(napi_async_init(env, nullptr, name, &watcher->context_) == napi_ok, "async context");
  Assert(napi_create_reference(env, callback, 0, &watcher->callback_) == napi_ok, "reference");
  return watcher;
}

void Watcher::Start(int events) {
  if (closing_) return;
  events_ = events;
  Arm(events);
}

void Watcher::Stop() {
  if (closing_) return;
  events_ = 0;
  Disarm();
}

void Watcher::Keep(bool owner, bool loop) {
  if (closing_) return;
  Hold(owner);
  KeepLoop(loop);
}

void Watcher::Close() {
  if (closing_) return;
  closing_ = true;
  events_ = 0;
  const Detached detached = Detach();
  // Closed now and not with the source's handle: whoever awaits close() finds the name free and the
  // peer told.
  fd_.reset();
  napi_delete_reference(env_, callback_);
  if (env_data_->frees_async_contexts()) napi_async_destroy(env_, context_);
  if (detached == Detached::kNow) LetGo();
}

void Watcher::ReleaseFromScript() {
  script_holds_ = false;
  closing_ ? DeleteWhenUnused() : Close();
}

void Watcher::Hold(bool hold) {
  if (held_ == hold) return;
  held_ = hold;
  uint32_t count;
  hold ? napi_reference_ref(env_, callback_, &count)
       : napi_reference_unref(env_, callback_, &count);
}

void Watcher::LetGo() {
  closed_ = true;
  env_data_->Remove(this);
  DeleteWhenUnused();
}

void Watcher::Ready(int events) {
  napi_env env = env_;  // the callback may be the end of this object
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback = nullptr, argument, ignored;
  napi_get_reference_value(env, callback_, &callback);
  // The owner was collected, and will let go of this in a moment.
  if (callback == nullptr) Stop();
  if (callback != nullptr && napi_create_int32(env, events, &argument) == napi_ok) {
    // The function stands in for `this`, which must be an object.
    const napi_status status =
        napi_make_callback(env, context_, callback, callback, 1, &argument, &ignored);
    napi_value error;
    // Any other failure is a worker thread that is ending and can run no JS: nobody is left to
    // tell.
    if (status == napi_pending_exception &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
      napi_fatal_exception(env, error);  // 'uncaughtException', as for any event of the loop
    }
  }
  napi_close_handle_scope(env, scope);
}

void Watcher::DeleteWhenUnused() {
  if (closed_ && !script_holds_) delete this;
}

}  // namespace fdpass
