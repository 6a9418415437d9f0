// UnixAddress: path, abstract or unnamed, with the exact length that the kernel keys on. unix(7)
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "result.h"

namespace fdpass {

class UnixAddress {
 public:
  enum class Kind { kUnnamed, kPath, kAbstract };

  // sun_path holds 108 bytes: a path and its NUL, or a NUL and an abstract name.
  static constexpr size_t kMaxNameBytes = sizeof(sockaddr_un::sun_path) - 1;
  static constexpr size_t kMaxSunPathBytes = sizeof(sockaddr_un::sun_path);

  UnixAddress() = default;  // unnamed

  // The image of sun_path: empty is unnamed, a leading NUL is abstract (every byte counts),
  // anything else is a path without its NUL. ENAMETOOLONG above 107 bytes, EINVAL for a NUL inside
  // a path: never a truncated or padded name.
  static Result<UnixAddress> FromSunPath(const uint8_t* bytes, size_t size);

  Kind kind() const;
  // As FromSunPath() takes it. A path that the kernel reports may fill all 108 bytes.
  const uint8_t* sun_path() const {
    return reinterpret_cast<const uint8_t*>(storage_.bytes) + kOffset;
  }
  size_t sun_path_size() const;

  // For system calls that read an address.
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(storage_.bytes); }
  socklen_t size() const { return size_; }

  // For system calls that write one: pass buffer() and capacity(), then tell the length they gave.
  sockaddr* buffer() { return reinterpret_cast<sockaddr*>(storage_.bytes); }
  static constexpr socklen_t capacity() { return sizeof(Storage); }
  void SetSizeFromKernel(socklen_t size);

 private:
  static constexpr size_t kOffset = offsetof(sockaddr_un, sun_path);
  // One byte more than sockaddr_un: for a path of 108 bytes the kernel reports length 111.
  struct Storage {
    alignas(sockaddr_un) char bytes[sizeof(sockaddr_un) + 1] = {AF_UNIX};
  };

  Storage storage_;
  socklen_t size_ = kOffset;
};

}  // namespace fdpass
