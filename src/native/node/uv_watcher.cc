#include "uv_watcher.h"

#include "env_data.h"

namespace fdpass {

UvWatcher::UvWatcher(napi_env env, EnvData* env_data, UniqueFd fd)
    : Watcher(env, env_data, std::move(fd)), loop_(env_data->OpenLoop(env)) {
  handle_.data = this;
}

Result<void> UvWatcher::Attach() {
  const int status = uv_poll_init(loop_, &handle_, fd().get());
  // EPERM: not something that can be polled. libuv holds nothing then.
  if (status != 0) return SysError{-status, "epoll_ctl"};
  return {};
}

void UvWatcher::Arm(int events) { uv_poll_start(&handle_, events, OnPoll); }

void UvWatcher::Disarm() { uv_poll_stop(&handle_); }

void UvWatcher::KeepLoop(bool keep) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&handle_);
  keep ? uv_ref(handle) : uv_unref(handle);
}

// Takes it off epoll at once; the handle needs the descriptor no more (docs of uv_poll_t).
Watcher::Detached UvWatcher::Detach() {
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), OnClosed);
  return Detached::kLater;
}

void UvWatcher::OnPoll(uv_poll_t* handle, int status, int events) {
  auto* self = static_cast<UvWatcher*>(handle->data);
  if (status == 0) return self->Ready(events);
  // On POLLERR libuv stops the handle and says EBADF. For a socket that is a pending error (a peer
  // that reset): the owner's next call takes it, so tell the owner that everything is ready.
  self->Ready(self->events());
  if (self->events() != 0) self->Arm(self->events());
}

void UvWatcher::OnClosed(uv_handle_t* handle) { static_cast<UvWatcher*>(handle->data)->LetGo(); }

}  // namespace fdpass
