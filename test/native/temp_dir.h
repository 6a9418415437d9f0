// TempDir: a fresh folder, removed with its content.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

class TempDir {
 public:
  TempDir() {
    if (::mkdtemp(name_) == nullptr) std::abort();
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;  // the test has told what matters
    std::filesystem::remove_all(name_, ignored);
  }

  std::string path(const std::string& file) const { return std::string(name_) + '/' + file; }

 private:
  char name_[32] = "/tmp/fdpass-test-XXXXXX";
};
