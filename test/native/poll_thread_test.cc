// Tests of core/poll_thread.h.
#include "core/poll_thread.h"

#include <semaphore.h>
#include <signal.h>

#include <memory>

#include "check.h"
#include "pipe.h"
#include "temp_dir.h"

using fdpass::PollThread;

namespace {

constexpr uint64_t kKey = 7;

// What the thread has reported, one after the other.
struct Reports {
  sem_t arrived;
  uint64_t key = 0;
  int events = 0;
  int count = 0;
  bool go_on = true;
  bool takes_signals = true;

  Reports() { sem_init(&arrived, 0, 0); }
  ~Reports() { sem_destroy(&arrived); }

  static bool Take(void* self, uint64_t key, int events) {
    auto* reports = static_cast<Reports*>(self);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    reports->takes_signals = sigismember(&blocked, SIGTERM) == 0;
    reports->key = key;
    reports->events = events;
    reports->count++;
    sem_post(&reports->arrived);
    return reports->go_on;
  }
};

void Write(const Pipe& pipe) { CHECK_EQ(::write(pipe.writer.get(), "x", 1), 1); }

}  // namespace

TEST("what is armed is reported once, and once more when it is armed again") {
  const Pipe pipe;
  Reports reports;
  const std::unique_ptr<PollThread> thread(MUST(PollThread::Start(Reports::Take, &reports)));
  MUST(thread->Add(pipe.reader.borrow(), kKey));
  Write(pipe);
  thread->Arm(pipe.reader.borrow(), kKey, PollThread::kReadable);
  sem_wait(&reports.arrived);
  CHECK_EQ(reports.key, kKey);
  CHECK_EQ(reports.events, PollThread::kReadable);
  CHECK_EQ(reports.count, 1);
  thread->Arm(pipe.reader.borrow(), kKey, PollThread::kReadable);
  sem_wait(&reports.arrived);
  CHECK_EQ(reports.count, 2);
}

TEST("an end is reported as everything") {
  Pipe pipe;
  Reports reports;
  const std::unique_ptr<PollThread> thread(MUST(PollThread::Start(Reports::Take, &reports)));
  MUST(thread->Add(pipe.reader.borrow(), kKey));
  thread->Arm(pipe.reader.borrow(), kKey, PollThread::kReadable);
  pipe.writer.reset();
  sem_wait(&reports.arrived);
  CHECK_EQ(reports.events, PollThread::kReadable | PollThread::kWritable | PollThread::kDisconnect);
}

TEST("what was not armed, or was removed, is not reported") {
  const Pipe quiet, gone, heard;
  Reports reports;
  const std::unique_ptr<PollThread> thread(MUST(PollThread::Start(Reports::Take, &reports)));
  MUST(thread->Add(quiet.reader.borrow(), 1));
  MUST(thread->Add(gone.reader.borrow(), 2));
  MUST(thread->Add(heard.reader.borrow(), 3));
  thread->Arm(gone.reader.borrow(), 2, PollThread::kReadable);
  thread->Remove(gone.reader.borrow());
  for (const Pipe* pipe : {&quiet, &gone, &heard}) Write(*pipe);
  thread->Arm(heard.reader.borrow(), 3, PollThread::kReadable);
  sem_wait(&reports.arrived);
  CHECK_EQ(reports.key, uint64_t{3});
  CHECK_EQ(reports.count, 1);
}

TEST("the thread takes no signals, and ends when a report says so") {
  const Pipe pipe;
  Reports reports;
  reports.go_on = false;
  const std::unique_ptr<PollThread> thread(MUST(PollThread::Start(Reports::Take, &reports)));
  MUST(thread->Add(pipe.reader.borrow(), kKey));
  Write(pipe);
  thread->Arm(pipe.reader.borrow(), kKey, PollThread::kReadable);
  sem_wait(&reports.arrived);
  CHECK(!reports.takes_signals);
}

TEST("a file is refused: it cannot be polled") {
  const TempDir folder;
  const fdpass::UniqueFd file(
      ::open(folder.path("file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  Reports reports;
  const std::unique_ptr<PollThread> thread(MUST(PollThread::Start(Reports::Take, &reports)));
  CHECK_FAILS(thread->Add(file.borrow(), kKey), EPERM, "epoll_ctl");
}
