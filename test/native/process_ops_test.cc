// Tests of core/process_ops.h. The process of the tests has no other children.
#include "core/process_ops.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

using fdpass::PeekEndedChild;
using fdpass::ReapChild;

namespace {

pid_t StartChild() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (;;) ::pause();
  }
  return pid;
}

void End(pid_t pid) {
  ::kill(pid, SIGKILL);
  siginfo_t info;
  ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
}

}  // namespace

TEST("without children none has ended, and there is nobody to reap") {
  CHECK_EQ(MUST(PeekEndedChild()), 0);
  CHECK(!MUST(ReapChild(::getpid())));
}

TEST("a child that runs is not reaped") {
  const pid_t pid = StartChild();
  CHECK_EQ(MUST(PeekEndedChild()), 0);
  CHECK(!MUST(ReapChild(pid)));
  End(pid);
  CHECK(MUST(ReapChild(pid)));
}

TEST("an ended child is seen until it is reaped, once") {
  const pid_t running = StartChild();
  const pid_t ended = StartChild();
  End(ended);
  CHECK_EQ(MUST(PeekEndedChild()), ended);
  CHECK_EQ(MUST(PeekEndedChild()), ended);
  CHECK(MUST(ReapChild(ended)));
  CHECK(!MUST(ReapChild(ended)));
  CHECK_EQ(MUST(PeekEndedChild()), 0);
  End(running);
  CHECK(MUST(ReapChild(running)));
}
