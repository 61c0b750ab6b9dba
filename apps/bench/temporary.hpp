// Files that are gone when the bench is.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "apps/bench/benchmark.hpp"

namespace troupe::bench {

class temporary_folder {
public:
  /// @throws cannot_measure
  temporary_folder() {
    auto pattern = std::filesystem::temp_directory_path() / "troupe-XXXXXX";
    auto text = pattern.string();
    if (!::mkdtemp(text.data()))
      throw cannot_measure{"cannot make a folder like " + pattern.string()};
    path_ = text;
  }

  temporary_folder(const temporary_folder&) = delete;

  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const noexcept { return path_; }

private:
  std::filesystem::path path_;
};

} // namespace troupe::bench
