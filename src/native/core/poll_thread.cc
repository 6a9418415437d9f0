#include "poll_thread.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace fdpass {

namespace {

// Events taken with one system call.
constexpr int kBatch = 64;

uint32_t ToEpoll(int events) {
  return ((events & PollThread::kReadable) != 0 ? uint32_t{EPOLLIN} : 0) |
         ((events & PollThread::kWritable) != 0 ? uint32_t{EPOLLOUT} : 0) |
         ((events & PollThread::kDisconnect) != 0 ? uint32_t{EPOLLRDHUP} : 0);
}

int FromEpoll(uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0)
    return PollThread::kReadable | PollThread::kWritable | PollThread::kDisconnect;
  return ((events & EPOLLIN) != 0 ? PollThread::kReadable : 0) |
         ((events & EPOLLOUT) != 0 ? PollThread::kWritable : 0) |
         ((events & EPOLLRDHUP) != 0 ? PollThread::kDisconnect : 0);
}

bool Control(const UniqueFd& epoll, int operation, int fd, uint64_t key, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return ::epoll_ctl(epoll.get(), operation, fd, &event) == 0;
}

}  // namespace

PollThread::PollThread(UniqueFd epoll, UniqueFd wake, Report report, void* context)
    : epoll_(std::move(epoll)), wake_(std::move(wake)), report_(report), context_(context) {}

Result<PollThread*> PollThread::Start(Report report, void* context) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return SysError{errno, "epoll_create1"};
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return SysError{errno, "eventfd"};
  if (!Control(epoll, EPOLL_CTL_ADD, wake.get(), kWake, EPOLLIN))
    return SysError{errno, "epoll_ctl"};
  auto* self = new PollThread(std::move(epoll), std::move(wake), report, context);
  // A new thread has the mask of its maker.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int status = pthread_create(&self->thread_, nullptr, Run, self);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (status == 0) return self;
  self->thread_ = pthread_t{};
  delete self;
  return SysError{status, "pthread_create"};
}

PollThread::~PollThread() {
  if (thread_ == pthread_t{}) return;  // it was never started
  const uint64_t one = 1;
  // Cannot fail: the counter is at most 1.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
  pthread_join(thread_, nullptr);
}

Result<void> PollThread::Add(BorrowedFd fd, uint64_t key) {
  if (Control(epoll_, EPOLL_CTL_ADD, fd.get(), key, EPOLLONESHOT)) return {};
  return SysError{errno, "epoll_ctl"};
}

void PollThread::Arm(BorrowedFd fd, uint64_t key, int events) {
  Control(epoll_, EPOLL_CTL_MOD, fd.get(), key, ToEpoll(events) | EPOLLONESHOT);
}

void PollThread::Remove(BorrowedFd fd) { Control(epoll_, EPOLL_CTL_DEL, fd.get(), 0, 0); }

void* PollThread::Run(void* self) {
  while (static_cast<PollThread*>(self)->WaitAndReport()) continue;
  return nullptr;
}

bool PollThread::WaitAndReport() {
  epoll_event events[kBatch];
  const int count =
      RetryOnInterrupt([&] { return ::epoll_wait(epoll_.get(), events, kBatch, -1); });
  for (int i = 0; i < count; i++) {
    if (events[i].data.u64 == kWake) return false;
    if (!report_(context_, events[i].data.u64, FromEpoll(events[i].events))) return false;
  }
  return true;
}

}  // namespace fdpass
