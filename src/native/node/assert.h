// Assert(): what fails only by a bug of ours, or without memory. For arguments there is FromScript.
#pragma once

#include <node_api.h>

namespace fdpass {

// The condition holds, or the process stops with `what`.
inline void Assert(bool holds, const char* what) {
  if (!holds) napi_fatal_error("fdpass", NAPI_AUTO_LENGTH, what, NAPI_AUTO_LENGTH);
}

}  // namespace fdpass
