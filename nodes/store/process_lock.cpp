#include "nodes/store/process_lock.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "actors/core/errors.hpp"

namespace troupe {

namespace {

std::filesystem::path file_of(const std::filesystem::path& folder,
                              const std::string& incarnation) {
  return folder / "nodes" / incarnation;
}

} // namespace

process_lock::process_lock(const std::filesystem::path& folder,
                           const std::string& incarnation) {
  auto file = file_of(folder, incarnation);
  std::error_code ignored;
  std::filesystem::create_directories(file.parent_path(), ignored);
  file_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ >= 0 && flock(file_, LOCK_EX | LOCK_NB) == 0)
    return;
  auto reason = errno;
  if (file_ >= 0)
    close(file_);
  throw error_exception{error{
    errc::store_unavailable,
    "'" + file.string() + "' cannot be locked: " + std::strerror(reason)}};
}

process_lock::~process_lock() {
  close(file_);
}

bool process_lock::is_dead(const std::filesystem::path& folder,
                           const std::string& incarnation) noexcept {
  try {
    auto file =
      open(file_of(folder, incarnation).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0)
      return false;
    auto is_free = flock(file, LOCK_SH | LOCK_NB) == 0;
    close(file); // and with it our lock
    return is_free;
  } catch (const std::exception&) {
    return false;
  }
}

void process_lock::remove(const std::filesystem::path& folder,
                          const std::string& incarnation) noexcept {
  try {
    std::error_code ignored;
    std::filesystem::remove(file_of(folder, incarnation), ignored);
  } catch (const std::exception&) {
    // A file too many.
  }
}

} // namespace troupe
