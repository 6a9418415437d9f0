// PollQueue: brings what a PollThread has seen to the thread of its environment.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <vector>

#include "../core/poll_thread.h"

namespace fdpass {

class ThreadWatcher;

// One for each environment, made with its first watcher. A report travels as a number and finds its
// watcher by that on arrival: one that was closed meanwhile is not found, and nobody is called.
class PollQueue {
 public:
  static Result<PollQueue*> Open(napi_env env);
  ~PollQueue();

  // `watcher` is called until Remove(). The result tells it from every earlier one with that fd.
  Result<uint64_t> Add(BorrowedFd fd, ThreadWatcher* watcher);
  // Events are UV_READABLE, UV_WRITABLE, UV_DISCONNECT.
  void Arm(BorrowedFd fd, uint64_t key, int events);
  void Remove(BorrowedFd fd, uint64_t key);
  // Counted: the loop stays alive while one wants it.
  void KeepLoop(bool keep);

 private:
  explicit PollQueue(napi_env env) : env_(env) {}

  static bool OnThread(void* queue, uint64_t key, int events);
  static void OnLoop(napi_env env, napi_value, void* queue, void* report);
  static void OnEnvironmentEnd(void* queue);
  ThreadWatcher* Find(uint64_t key) const;

  struct Slot {
    ThreadWatcher* watcher = nullptr;
    uint64_t key = 0;
  };

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
  PollThread* thread_ = nullptr;  // null once it was ended
  std::vector<Slot> slots_;       // indexed by descriptor
  uint32_t serial_ = 0;
  unsigned keeping_ = 0;
};

}  // namespace fdpass
