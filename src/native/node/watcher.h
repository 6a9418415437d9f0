// Watcher: readiness of one descriptor for JS. Where the news comes from is the subclass's affair.
#pragma once

#include <node_api.h>

#include "../core/result.h"
#include "../core/unique_fd.h"

namespace fdpass {

class EnvData;

// Watches a duplicate of its own, so that two watchers may watch one descriptor and nobody can
// close the number under its source. The object lives until the source has let go of it and JS has,
// too. Everything runs on the thread of its environment.
class Watcher {
 public:
  // `callback` is called with the ready events. It is held strongly only while Keep() says so.
  static Result<Watcher*> Open(napi_env env, BorrowedFd fd, napi_value callback);

  // Events are UV_READABLE, UV_WRITABLE, UV_DISCONNECT; level-triggered. Does nothing once closed.
  void Start(int events);
  void Stop();
  // What it keeps alive: its owner in JS (so that it is not collected) and the event loop.
  void Keep(bool owner, bool loop);
  void Close();              // idempotent
  void ReleaseFromScript();  // JS holds no handle any more; closes if nobody has

 protected:
  Watcher(napi_env env, EnvData* env_data, UniqueFd fd);
  virtual ~Watcher() = default;

  BorrowedFd fd() const { return fd_.borrow(); }
  int events() const { return events_; }  // what was asked for; 0 is stopped
  // Tells JS. It may close this, so that the caller looks again before it goes on.
  void Ready(int events);
  void LetGo();  // the source does not know this any more; `this` may be gone

  enum class Detached { kNow, kLater };

 private:
  friend class EnvData;  // the list of live watchers

  virtual Result<void> Attach() = 0;  // first of all; if it fails the source knows nothing
  virtual void Arm(int events) = 0;   // never 0
  virtual void Disarm() = 0;
  virtual void KeepLoop(bool keep) = 0;
  // The descriptor is closed behind this. kLater: LetGo() will be called.
  virtual Detached Detach() = 0;

  void Hold(bool hold);
  void DeleteWhenUnused();

  napi_env env_;
  EnvData* env_data_;
  UniqueFd fd_;
  napi_ref callback_ = nullptr;
  napi_async_context context_ = nullptr;
  int events_ = 0;
  bool held_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool script_holds_ = true;
  Watcher* previous_ = nullptr;
  Watcher* next_ = nullptr;
};

}  // namespace fdpass
