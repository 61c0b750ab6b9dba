// What explains a failure: a folder for logs, histories and whatever else a test
// leaves there. It goes with the test if that passes; if not, or if TROUPE_KEEP
// is set, it stays, and its name is printed.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

namespace troupe::testing {

class kept_evidence {
public:
  kept_evidence() {
    auto name =
      (std::filesystem::temp_directory_path() / "troupe-failed-XXXXXX")
        .string();
    if (!mkdtemp(name.data()))
      throw std::runtime_error("no temporary folder can be made");
    path_ = name;
  }

  kept_evidence(const kept_evidence&) = delete;
  kept_evidence& operator=(const kept_evidence&) = delete;

  ~kept_evidence() {
    if (is_kept()) {
      std::cout << "evidence is in " << path_.string() << '\n';
      return;
    }
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  /// As far as it is known by now.
  static bool is_kept() {
    return ::testing::Test::HasFailure()
           || std::getenv("TROUPE_KEEP") != nullptr;
  }

  const std::filesystem::path& path() const noexcept { return path_; }

  /// A new file in it.
  std::ofstream file(const std::string& name) const {
    return std::ofstream{path_ / name};
  }

private:
  std::filesystem::path path_;
};

} // namespace troupe::testing
