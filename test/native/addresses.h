// Unix addresses of the tests: from text, and the one that only the kernel can make.
#pragma once

#include <string>
#include <string_view>

#include "core/unique_fd.h"
#include "core/unix_address.h"
#include "temp_dir.h"

inline fdpass::Result<fdpass::UnixAddress> FromText(std::string_view text) {
  return fdpass::UnixAddress::FromSunPath(reinterpret_cast<const uint8_t*>(text.data()),
                                          text.size());
}

inline std::string_view TextOf(const fdpass::UnixAddress& address) {
  return {reinterpret_cast<const char*>(address.sun_path()), address.sun_path_size()};
}

// Fills sun_path to its last byte with a path in `folder`, without a NUL, and binds to it.
std::string BindToPathOf108Bytes(fdpass::BorrowedFd socket, const TempDir& folder);
