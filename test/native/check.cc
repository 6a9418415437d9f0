// Runs every registered test and counts the open descriptors around each: a leak is a failure.
#include "check.h"

#include <cstdio>
#include <filesystem>
#include <iterator>
#include <vector>

namespace check {

namespace {

struct Test {
  const char* title;
  void (*body)();
};

// In a function, because the registrations of other files may run before this file's variables.
std::vector<Test>& Tests() {
  static std::vector<Test> tests;
  return tests;
}

int failures = 0;

std::ptrdiff_t CountOpenDescriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return std::distance(begin(open), end(open));
}

}  // namespace

Registration::Registration(const char* title, void (*body)()) { Tests().push_back({title, body}); }

void Report(const char* file, int line, const std::string& what) {
  failures++;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

}  // namespace check

int main() {
  int failed_tests = 0;
  for (const auto& test : check::Tests()) {
    const int failures_before = check::failures;
    const auto open_before = check::CountOpenDescriptors();
    test.body();
    const auto open_after = check::CountOpenDescriptors();
    if (open_after != open_before) {
      check::Report(test.title, 0, std::to_string(open_after - open_before) + " leaked");
    }
    const bool passed = check::failures == failures_before;
    if (!passed) std::fprintf(stderr, "not ok: %s\n", test.title);
    failed_tests += passed ? 0 : 1;
  }
  std::printf("%zu C++ tests, %d failed\n", check::Tests().size(), failed_tests);
  return failed_tests == 0 && !check::Tests().empty() ? 0 : 1;
}
