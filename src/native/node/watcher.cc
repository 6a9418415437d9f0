#include "watcher.h"

#include "../core/fd_ops.h"
#include "convert.h"
#include "env_data.h"

namespace fdpass {

Watcher::Watcher(napi_env env, EnvData* env_data, UniqueFd fd)
    : env_(env), env_data_(env_data), fd_(std::move(fd)) {
  handle_.data = this;
}

Result<Watcher*> Watcher::Open(napi_env env, BorrowedFd fd, napi_value callback) {
  auto duplicate = Duplicate(fd);
  if (!duplicate.ok()) return duplicate.error();
  EnvData* env_data = EnvData::Of(env);
  auto* watcher = new Watcher(env, env_data, std::move(duplicate.value()));
  const int status = uv_poll_init(env_data->loop(), &watcher->handle_, watcher->fd_.get());
  if (status != 0) {  // EPERM: not something that can be polled. libuv holds nothing then.
    delete watcher;
    return SysError{-status, "epoll_ctl"};
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
  Arm();
}

void Watcher::Stop() {
  if (closing_) return;
  events_ = 0;
  uv_poll_stop(&handle_);
}

void Watcher::Keep(bool owner, bool loop) {
  if (closing_) return;
  Hold(owner);
  auto* handle = reinterpret_cast<uv_handle_t*>(&handle_);
  loop ? uv_ref(handle) : uv_unref(handle);
}

void Watcher::Close() {
  if (closing_) return;
  closing_ = true;
  events_ = 0;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), OnClosed);
  // uv_close() has taken it off epoll, and the handle needs it no more (docs of uv_poll_t). Closed
  // now and not with the handle: whoever awaits close() finds the name free and the peer told.
  fd_.reset();
  napi_delete_reference(env_, callback_);
  napi_async_destroy(env_, context_);
}

void Watcher::ReleaseFromScript() {
  script_holds_ = false;
  Close();
  DeleteWhenUnused();
}

void Watcher::Arm() { uv_poll_start(&handle_, events_, OnPoll); }

void Watcher::Hold(bool hold) {
  if (held_ == hold) return;
  held_ = hold;
  uint32_t count;
  hold ? napi_reference_ref(env_, callback_, &count)
       : napi_reference_unref(env_, callback_, &count);
}

void Watcher::OnPoll(uv_poll_t* handle, int status, int events) {
  auto* self = static_cast<Watcher*>(handle->data);
  if (status == 0) return self->CallScript(events);
  // On POLLERR libuv stops the handle and says EBADF. For a socket that is a pending error (a peer
  // that reset): the owner's next call takes it, so tell the owner that everything is ready.
  self->CallScript(self->events_);
  if (self->events_ != 0) self->Arm();
}

void Watcher::OnClosed(uv_handle_t* handle) {
  auto* self = static_cast<Watcher*>(handle->data);
  self->closed_ = true;
  self->env_data_->Remove(self);
  self->DeleteWhenUnused();
}

void Watcher::CallScript(int events) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(env_, &scope) != napi_ok) return;
  napi_value callback = nullptr, argument, ignored;
  napi_get_reference_value(env_, callback_, &callback);
  // The owner was collected, and will let go of this in a moment.
  if (callback == nullptr) Stop();
  if (callback != nullptr && napi_create_int32(env_, events, &argument) == napi_ok) {
    // The function stands in for `this`, which must be an object.
    const napi_status status =
        napi_make_callback(env_, context_, callback, callback, 1, &argument, &ignored);
    napi_value error;
    // Any other failure is a worker thread that is ending and can run no JS: nobody is left to
    // tell.
    if (status == napi_pending_exception &&
        napi_get_and_clear_last_exception(env_, &error) == napi_ok) {
      napi_fatal_exception(env_, error);  // 'uncaughtException', as for any event of the loop
    }
  }
  napi_close_handle_scope(env_, scope);
}

void Watcher::DeleteWhenUnused() {
  if (closed_ && !script_holds_) delete this;
}

}  // namespace fdpass
