// Result<T>: a value, or the errno and the name of the system call that failed.
#pragma once

#include <cerrno>
#include <optional>
#include <utility>

namespace fdpass {

struct SysError {
  int code;             // errno, positive
  const char* syscall;  // static string, the name in man section 2
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(SysError error) : error_(error) {}

  bool ok() const { return value_.has_value(); }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  SysError error() const { return error_; }

 private:
  std::optional<T> value_;
  SysError error_{0, ""};
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(SysError error) : error_(error) {}

  bool ok() const { return error_.code == 0; }
  SysError error() const { return error_; }

 private:
  SysError error_{0, ""};
};

// Calls again while a signal interrupts. Never for close(2): Linux frees the number even on EINTR.
template <typename Call>
auto RetryOnInterrupt(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

}  // namespace fdpass
