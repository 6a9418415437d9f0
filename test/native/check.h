// The harness of the C++ tests: TEST registers, CHECK counts and goes on, MUST ends the run.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/result.h"

namespace check {

struct Registration {
  Registration(const char* title, void (*body)());
};

void Report(const char* file, int line, const std::string& what);

template <typename T>
std::string Show(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else {
    return '"' + std::string(value) + '"';
  }
}

template <typename A, typename B>
void Equal(const A& actual, const B& expected, const char* file, int line, const char* text) {
  if (actual == expected) return;
  Report(file, line, std::string(text) + " is " + Show(actual) + ", not " + Show(expected));
}

template <typename T>
void FailsWith(const fdpass::Result<T>& result, int code, std::string_view syscall,
               const char* file, int line) {
  if (result.ok()) return Report(file, line, "no error");
  Equal(result.error().code, code, file, line, "code");
  Equal(std::string_view(result.error().syscall), syscall, file, line, "syscall");
}

// The value of what the test stands on: without it the rest would say nothing.
template <typename T>
T Must(fdpass::Result<T> result, const char* file, int line) {
  if (!result.ok()) {
    Report(file, line,
           std::string(result.error().syscall) + ": " + std::to_string(result.error().code));
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(result.value());
}

}  // namespace check

#define CHECK_JOIN(a, b) a##b
#define CHECK_NAME(prefix, line) CHECK_JOIN(prefix, line)
#define TEST(title)                                                                          \
  static void CHECK_NAME(Test, __LINE__)();                                                  \
  static check::Registration CHECK_NAME(registration, __LINE__){title,                       \
                                                                CHECK_NAME(Test, __LINE__)}; \
  static void CHECK_NAME(Test, __LINE__)()
#define CHECK(condition) \
  if (!(condition)) check::Report(__FILE__, __LINE__, #condition " is false")
#define CHECK_EQ(actual, expected) check::Equal(actual, expected, __FILE__, __LINE__, #actual)
#define CHECK_FAILS(result, code, syscall) \
  check::FailsWith(result, code, syscall, __FILE__, __LINE__)
#define MUST(result) check::Must(result, __FILE__, __LINE__)
