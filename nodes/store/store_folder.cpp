#include "nodes/store/store_folder.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "actors/core/errors.hpp"

namespace troupe {

namespace {

[[noreturn]] void refuse(const std::filesystem::path& path,
                         const std::string& why) {
  throw error_exception{error{errc::store_unavailable,
                              "the folder '" + path.string() + "' " + why}};
}

} // namespace

std::string_view network_file_system(long magic) noexcept {
  // From statfs(2); linux/magic.h lacks some of them.
  constexpr std::array<std::pair<unsigned long, std::string_view>, 11> known{{
    {0x6969, "NFS"},
    {0x517B, "SMB"},
    {0xFF534D42, "CIFS"},
    {0xFE534D42, "SMB2"},
    {0x65735546, "FUSE"},
    {0x01021997, "9P"},
    {0x5346414F, "AFS"},
    {0x73757245, "Coda"},
    {0x00C36400, "Ceph"},
    {0x0BD00BD0, "Lustre"},
    {0x47504653, "GPFS"},
  }};
  // f_type is signed on some machines: compare what statfs documents, 32 bits.
  auto type = static_cast<unsigned long>(magic) & 0xFFFFFFFFul;
  for (auto& [number, name] : known)
    if (number == type)
      return name;
  return {};
}

void sync_folder(const std::filesystem::path& path) {
  auto fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto done = fd >= 0 && fsync(fd) == 0;
  auto reason = errno;
  if (fd >= 0)
    close(fd);
  if (!done)
    refuse(path, std::string{"cannot be synced: "} + std::strerror(reason));
}

bool is_folder_in_use(const std::filesystem::path& path) noexcept {
  auto fd = open((path / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  auto is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
  auto in_use = !is_free && errno == EWOULDBLOCK;
  close(fd); // and with it our lock
  return in_use;
}

store_folder::store_folder(const std::filesystem::path& path, folder_use use)
  : path_(std::filesystem::absolute(path).lexically_normal()) {
  if (path_.filename().empty())
    path_ = path_.parent_path(); // "folder/" and "folder" are one
  make();
  check_file_system();
  lock(use);
}

store_folder::~store_folder() {
  if (lock_ >= 0)
    close(lock_);
}

void store_folder::sync() const {
  sync_folder(path_);
}

void store_folder::make() const {
  // The deepest folder that is there already: its entries become durable too.
  auto there = path_;
  std::error_code failed;
  while (!std::filesystem::exists(there, failed) && there.has_relative_path())
    there = there.parent_path();
  std::filesystem::create_directories(path_, failed);
  if (failed)
    refuse(path_, "cannot be made: " + failed.message());
  if (!std::filesystem::is_directory(path_))
    refuse(path_, "is no folder");
  for (auto x = path_; x != there; x = x.parent_path())
    sync_folder(x.parent_path());
}

void store_folder::check_file_system() const {
  struct statfs info {};
  if (statfs(path_.c_str(), &info) != 0)
    refuse(path_, std::string{"cannot be read: "} + std::strerror(errno));
  if (auto name = network_file_system(info.f_type); !name.empty())
    refuse(path_, "is on a file system of type " + std::string{name}
                    + ", which does not keep the locks that durable state "
                      "needs; choose one on a local disk");
}

void store_folder::lock(folder_use use) {
  auto file = path_ / "lock";
  lock_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0)
    refuse(path_, std::string{"cannot be written: "} + std::strerror(errno));
  auto kind = use == folder_use::alone ? LOCK_EX : LOCK_SH;
  if (flock(lock_, kind | LOCK_NB) == 0)
    return;
  auto reason = errno;
  close(std::exchange(lock_, -1));
  if (reason == EWOULDBLOCK)
    refuse(path_, use == folder_use::alone
                    ? "is in use by another node; stop that one, use another "
                      "folder (--data-dir), or make them a cluster "
                      "(--cluster.listen)"
                    : "is in use by a node that has it alone; stop that one, "
                      "or start it with --cluster.listen too");
  refuse(path_, std::string{"cannot be locked: "} + std::strerror(reason));
}

} // namespace troupe
