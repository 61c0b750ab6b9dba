#include "tests/support/recorded_disk.hpp"

#include <fstream>
#include <map>

namespace troupe::testing {

namespace {

using kind = file_operation::kind;

void write_to(const file_operation& x, std::string& file) {
  auto end = static_cast<size_t>(x.offset) + x.bytes.size();
  if (x.what == kind::truncate || file.size() < end)
    file.resize(x.what == kind::truncate ? static_cast<size_t>(x.offset) : end);
  file.replace(static_cast<size_t>(x.offset), x.bytes.size(), x.bytes);
}

/// Only some of the sectors.
void write_torn(const file_operation& x, std::mt19937& random,
                std::string& file) {
  constexpr size_t sector_bytes = 512;
  for (size_t i = 0; i < x.bytes.size();) {
    auto position = static_cast<size_t>(x.offset) + i;
    auto size = sector_bytes - position % sector_bytes;
    auto part = x;
    part.offset = static_cast<int64_t>(position);
    part.bytes = x.bytes.substr(i, size);
    if (random() % 2 == 0)
      write_to(part, file);
    i += size;
  }
}

/// A file whose last operations may not have reached the disk.
struct cut_file {
  std::string synced;
  std::vector<const file_operation*> since;

  void sync() {
    for (auto x : since)
      write_to(*x, synced);
    since.clear();
  }

  void cut(unsynced_writes fate, std::mt19937& random) {
    for (auto x : since) {
      if (fate == unsynced_writes::last_one_torn && x == since.back())
        write_torn(*x, random, synced);
      else if (fate == unsynced_writes::all
               || fate == unsynced_writes::last_one_torn
               || (fate == unsynced_writes::some && random() % 2 == 0))
        write_to(*x, synced);
    }
  }
};

} // namespace

operation_fate recorded_disk::record(const file_operation& x) {
  if (x.what != kind::read) {
    std::lock_guard guard{mutex_};
    operations_.push_back(x);
  }
  return {};
}

size_t recorded_disk::size() const {
  std::lock_guard guard{mutex_};
  return operations_.size();
}

void recorded_disk::rebuild(size_t count, unsynced_writes fate,
                            std::mt19937& random,
                            const std::filesystem::path& folder) const {
  std::map<std::string, cut_file> files;
  for (size_t i = 0; i < count; ++i) {
    auto& x = operations_[i];
    if (x.what == kind::remove)
      files.erase(x.file);
    else if (x.what == kind::sync)
      files[x.file].sync();
    else
      files[x.file].since.push_back(&x);
  }
  for (auto& [name, file] : files) {
    file.cut(fate, random);
    std::ofstream{folder / name, std::ios::binary} << file.synced;
  }
}

void recorded_disk::forget_syncs() {
  std::erase_if(operations_,
                [](const file_operation& x) { return x.what == kind::sync; });
}

} // namespace troupe::testing
