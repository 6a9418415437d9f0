// PollThread: a thread that waits for many descriptors and reports each readiness once.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "result.h"
#include "unique_fd.h"

namespace fdpass {

// EPOLLONESHOT: a descriptor that was reported is quiet until it is armed again, so that at most
// one report of each is under way. What the kernel keeps is all there is to share: the owner's
// thread arms by epoll_ctl(2), and no memory is touched by two threads.
class PollThread {
 public:
  // Of libuv's values.
  static constexpr int kReadable = 1;
  static constexpr int kWritable = 2;
  static constexpr int kDisconnect = 4;

  // Called on the thread with the key that Add() was given. False ends the thread.
  using Report = bool (*)(void* context, uint64_t key, int events);

  // The thread takes no signals: they are the program's.
  static Result<PollThread*> Start(Report report, void* context);

  // Waits for a report that is under way. None follows.
  ~PollThread();

  PollThread(const PollThread&) = delete;
  PollThread& operator=(const PollThread&) = delete;

  // Not armed yet; but an end or an error, of which the kernel tells unasked, may be reported.
  // EPERM: not something that can be polled.
  Result<void> Add(BorrowedFd fd, uint64_t key);
  // Asks for one report, which comes at once if it is ready now. An end or an error is reported as
  // all three events: the next call of the owner takes it.
  void Arm(BorrowedFd fd, uint64_t key, int events);
  // To be called before the descriptor is closed.
  void Remove(BorrowedFd fd);

 private:
  static constexpr uint64_t kWake = UINT64_MAX;  // no key of Add()

  PollThread(UniqueFd epoll, UniqueFd wake, Report report, void* context);
  static void* Run(void* self);
  bool WaitAndReport();

  UniqueFd epoll_;
  UniqueFd wake_;  // eventfd(2), under kWake
  Report report_;
  void* context_;
  pthread_t thread_{};
};

}  // namespace fdpass
