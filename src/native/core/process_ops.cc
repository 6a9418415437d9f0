#include "process_ops.h"

#include <sys/wait.h>

namespace fdpass {

Result<pid_t> PeekEndedChild() {
  siginfo_t info{};  // si_pid stays 0 where WNOHANG finds none
  const auto peek = [&] { return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT); };
  if (RetryOnInterrupt(peek) == 0) return info.si_pid;
  if (errno == ECHILD) return 0;
  return SysError{errno, "waitid"};
}

Result<bool> ReapChild(pid_t pid) {
  const pid_t reaped = RetryOnInterrupt([&] { return ::waitpid(pid, nullptr, WNOHANG); });
  if (reaped >= 0) return reaped != 0;
  if (errno == ECHILD) return false;
  return SysError{errno, "waitpid"};
}

}  // namespace fdpass
