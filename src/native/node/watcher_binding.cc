// Watchers for JS: an external handle and flat verbs over it.
#include "bindings.h"
#include "convert.h"
#include "env_data.h"
#include "sys_error.h"
#include "watcher.h"

namespace fdpass {

namespace {

using Handle = Napi::External<Watcher>;

Watcher* ToWatcher(const Napi::CallbackInfo& info) { return info[0].As<Handle>().Data(); }

// openWatcher(fd, callback): handle. The caller keeps `callback` alive while it keeps the handle.
Napi::Value OpenWatcher(const Napi::CallbackInfo& info) {
  auto watcher = Watcher::Open(info.Env(), ToFd(info.Env(), info[0]), info[1]);
  if (!watcher.ok()) {
    Throw(info.Env(), watcher.error());
    return info.Env().Undefined();
  }
  const Handle handle = Handle::New(info.Env(), watcher.value(),
                                    [](Napi::Env, Watcher* self) { self->ReleaseFromScript(); });
  // The thread is being terminated: no script will hold it.
  if (handle.IsEmpty()) watcher.value()->ReleaseFromScript();
  return handle;
}

void StartWatcher(const Napi::CallbackInfo& info) {
  ToWatcher(info)->Start(ToInt(info.Env(), info[1]));
}

void StopWatcher(const Napi::CallbackInfo& info) { ToWatcher(info)->Stop(); }

void KeepWatcher(const Napi::CallbackInfo& info) {
  ToWatcher(info)->Keep(ToBool(info.Env(), info[1]), ToBool(info.Env(), info[2]));
}

void CloseWatcher(const Napi::CallbackInfo& info) { ToWatcher(info)->Close(); }

// For a runtime without uv_poll_t; before the first openWatcher().
void UsePollThread(const Napi::CallbackInfo& info) { EnvData::Of(info.Env())->UsePollThread(); }

}  // namespace

void ExportWatcherBinding(Napi::Env env, Napi::Object exports) {
  exports.Set("openWatcher", Napi::Function::New<OpenWatcher>(env));
  exports.Set("startWatcher", Napi::Function::New<StartWatcher>(env));
  exports.Set("stopWatcher", Napi::Function::New<StopWatcher>(env));
  exports.Set("keepWatcher", Napi::Function::New<KeepWatcher>(env));
  exports.Set("closeWatcher", Napi::Function::New<CloseWatcher>(env));
  exports.Set("usePollThread", Napi::Function::New<UsePollThread>(env));
}

}  // namespace fdpass
