// Watchers for JS: an external handle and flat verbs over it.
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "script_function.h"
#include "sys_error.h"
#include "watcher.h"

namespace fdpass {

namespace {

// openWatcher(fd, callback): handle. The caller keeps `callback` alive while it keeps the handle.
napi_value OpenWatcher(Napi::Env env, BorrowedFd fd, Callback callback) {
  auto watcher = Watcher::Open(env, fd, callback.function);
  if (!watcher.ok()) {
    Throw(env, watcher.error());
    return nullptr;
  }
  const auto release = [](napi_env, void* self, void*) {
    static_cast<Watcher*>(self)->ReleaseFromScript();
  };
  return FromObject(env, watcher.value(), release);
}

void StartWatcher(Napi::Env, Watcher* watcher, int events) { watcher->Start(events); }

void StopWatcher(Napi::Env, Watcher* watcher) { watcher->Stop(); }

void KeepWatcher(Napi::Env, Watcher* watcher, bool owner, bool loop) { watcher->Keep(owner, loop); }

void CloseWatcher(Napi::Env, Watcher* watcher) { watcher->Close(); }

// For a runtime without uv_poll_t; before the first openWatcher().
void UsePollThread(Napi::Env env) { EnvData::Of(env)->UsePollThread(); }

}  // namespace

void ExportWatcherBinding(Napi::Env env, Napi::Object exports) {
  Export<OpenWatcher>(env, exports, "openWatcher");
  Export<StartWatcher>(env, exports, "startWatcher");
  Export<StopWatcher>(env, exports, "stopWatcher");
  Export<KeepWatcher>(env, exports, "keepWatcher");
  Export<CloseWatcher>(env, exports, "closeWatcher");
  Export<UsePollThread>(env, exports, "usePollThread");
}

}  // namespace fdpass
