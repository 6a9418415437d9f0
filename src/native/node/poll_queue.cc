#include "poll_queue.h"

#include <uv.h>

#include "assert.h"
#include "thread_watcher.h"

namespace fdpass {

namespace {

static_assert(PollThread::kReadable == UV_READABLE && PollThread::kWritable == UV_WRITABLE &&
              PollThread::kDisconnect == UV_DISCONNECT);

// A report is one pointer, so that the end of the environment frees nothing and loses nothing: the
// key, which is 24 bits of serial number and 32 of descriptor, and 8 bits of events.
static_assert(sizeof(void*) == sizeof(uint64_t));
constexpr uint32_t kSerialMask = 0xffffff;
constexpr int kFdBits = 32;
constexpr int kEventBits = 8;
constexpr int kEventMask = 0xff;

size_t FdOf(uint64_t key) { return static_cast<uint32_t>(key); }

}  // namespace

Result<PollQueue*> PollQueue::Open(napi_env env) {
  auto* self = new PollQueue(env);
  auto thread = PollThread::Start(OnThread, self);
  if (!thread.ok()) {
    delete self;
    return thread.error();
  }
  self->thread_ = thread.value();
  // Nothing is watched yet, so that the thread does not miss the function.
  napi_value name;
  Assert(napi_create_string_utf8(env, "FDPASSPOLL", NAPI_AUTO_LENGTH, &name) == napi_ok, "name");
  Assert(napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, self,
                                         OnLoop, &self->function_) == napi_ok,
         "threadsafe function");
  napi_unref_threadsafe_function(env, self->function_);
  // Hooks run last in, first out: the thread ends before the function that it calls does.
  Assert(napi_add_env_cleanup_hook(env, OnEnvironmentEnd, self) == napi_ok, "cleanup hook");
  return self;
}

PollQueue::~PollQueue() { delete thread_; }

Result<uint64_t> PollQueue::Add(BorrowedFd fd, ThreadWatcher* watcher) {
  if (thread_ == nullptr) return SysError{ECANCELED, "epoll_ctl"};  // the environment ends
  serial_ = (serial_ + 1) & kSerialMask;
  const uint64_t key = static_cast<uint64_t>(serial_) << kFdBits | static_cast<uint32_t>(fd.get());
  const auto added = thread_->Add(fd, key);
  if (!added.ok()) return added.error();
  if (FdOf(key) >= slots_.size()) slots_.resize(FdOf(key) + 1);
  slots_[FdOf(key)] = {watcher, key};
  return key;
}

void PollQueue::Arm(BorrowedFd fd, uint64_t key, int events) {
  if (thread_ != nullptr) thread_->Arm(fd, key, events);
}

void PollQueue::Remove(BorrowedFd fd, uint64_t key) {
  if (thread_ != nullptr) thread_->Remove(fd);
  slots_[FdOf(key)] = {};
}

void PollQueue::KeepLoop(bool keep) {
  const unsigned before = keeping_;
  keep ? keeping_++ : keeping_--;
  if (thread_ == nullptr) return;
  if (before == 0) napi_ref_threadsafe_function(env_, function_);
  if (keeping_ == 0) napi_unref_threadsafe_function(env_, function_);
}

bool PollQueue::OnThread(void* queue, uint64_t key, int events) {
  auto* self = static_cast<PollQueue*>(queue);
  const uint64_t report = key << kEventBits | static_cast<unsigned>(events);
  // Anything but napi_ok: the environment ends.
  return napi_call_threadsafe_function(self->function_, reinterpret_cast<void*>(report),
                                       napi_tsfn_nonblocking) == napi_ok;
}

void PollQueue::OnLoop(napi_env env, napi_value, void* queue, void* data) {
  if (env == nullptr) return;  // the environment has ended, and `queue` with it
  auto* self = static_cast<PollQueue*>(queue);
  const auto report = reinterpret_cast<uint64_t>(data);
  const uint64_t key = report >> kEventBits;
  if (ThreadWatcher* watcher = self->Find(key)) watcher->OnReport(report & kEventMask);
  // Looked for once more: its owner may have closed it.
  if (ThreadWatcher* watcher = self->Find(key)) watcher->Rearm();
}

ThreadWatcher* PollQueue::Find(uint64_t key) const {
  const size_t fd = FdOf(key);
  return fd < slots_.size() && slots_[fd].key == key ? slots_[fd].watcher : nullptr;
}

void PollQueue::OnEnvironmentEnd(void* queue) {
  auto* self = static_cast<PollQueue*>(queue);
  delete self->thread_;
  self->thread_ = nullptr;
  napi_release_threadsafe_function(self->function_, napi_tsfn_abort);
}

}  // namespace fdpass
