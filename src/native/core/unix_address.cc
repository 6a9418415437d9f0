#include "unix_address.h"

#include <algorithm>
#include <cstring>

namespace fdpass {

Result<UnixAddress> UnixAddress::FromSunPath(const uint8_t* bytes, size_t size) {
  UnixAddress address;
  if (size == 0) return address;
  const bool abstract = bytes[0] == 0;
  if (size > (abstract ? kMaxNameBytes + 1 : kMaxNameBytes)) return SysError{ENAMETOOLONG, "bind"};
  if (!abstract && std::memchr(bytes, 0, size) != nullptr) return SysError{EINVAL, "bind"};
  std::memcpy(address.storage_.bytes + kOffset, bytes, size);
  // A path goes with its NUL (already zero in the storage), an abstract name with exactly its
  // bytes.
  address.size_ = static_cast<socklen_t>(kOffset + size + (abstract ? 0 : 1));
  return address;
}

UnixAddress::Kind UnixAddress::kind() const {
  if (size_ <= kOffset) return Kind::kUnnamed;
  return sun_path()[0] == 0 ? Kind::kAbstract : Kind::kPath;
}

size_t UnixAddress::sun_path_size() const {
  switch (kind()) {
    case Kind::kUnnamed:
      return 0;
    case Kind::kAbstract:
      return size_ - kOffset;
    case Kind::kPath:
      return ::strnlen(reinterpret_cast<const char*>(sun_path()), size_ - kOffset);
  }
  return 0;
}

void UnixAddress::SetSizeFromKernel(socklen_t size) {
  // 0 is what recvmsg(2) reports for an unnamed sender.
  size_ = std::clamp(size, static_cast<socklen_t>(kOffset), capacity());
}

}  // namespace fdpass
