// Ended children of the process, for one that inherits orphans: PID 1 of a container. waitid(2)
#pragma once

#include <sys/types.h>

#include "result.h"

namespace fdpass {

// A child that has ended and was not waited for; 0 if there is none. It is left as it is, so that
// whoever started it can wait for it. Asked again, it is the same one until somebody has.
Result<pid_t> PeekEndedChild();

// Waits for a child that has ended; false if it has not, or is no child. Of one that libuv has
// started libuv has to do that: else it would never say that it exited.
Result<bool> ReapChild(pid_t pid);

}  // namespace fdpass
