#include "nodes/plugin.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "actors/core/plugin.hpp"

namespace troupe {

namespace {

error refuse(const std::filesystem::path& file, const std::string& why) {
  return {errc::bad_request, "plugin " + file.string() + ": " + why};
}

expected<std::string> read_all(const std::filesystem::path& file) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed))
    return refuse(file, failed ? failed.message() : "is no regular file");
  std::ifstream in{file, std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{in}, {}};
  if (!in.good() && !in.eof())
    return refuse(file, "cannot be read");
  return bytes;
}

/// A copy in memory that `dlopen` can read: no file to clean up, none that
/// somebody else could change.
class memory_copy {
public:
  memory_copy(const std::string& name, const std::string& bytes)
    : fd_(::memfd_create(name.c_str(), MFD_CLOEXEC)) {
    auto at = bytes.data();
    auto left = bytes.size();
    while (fd_ >= 0 && left > 0) {
      auto n = ::write(fd_, at, left);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return;
      at += n;
      left -= static_cast<size_t>(n);
    }
    complete_ = fd_ >= 0;
  }

  memory_copy(const memory_copy&) = delete;

  ~memory_copy() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  bool complete() const { return complete_; }

  /// Stays open: the loader knows an object by its path, so the number must not
  /// come again while this one is loaded.
  void keep_open() { fd_ = -1; }

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

private:
  int fd_;
  bool complete_ = false;
};

/// Whether `size` bytes at `at` are part of a file.
bool is_within(const std::string& bytes, uint64_t at, uint64_t size) {
  return at <= bytes.size() && size <= bytes.size() - at;
}

/// What is wrong with an ELF file that `dlopen` would not see: it maps what the
/// headers name, and a file that is not there in full, because it is still
/// being written, would end the process with SIGBUS.
std::string check_whole(const std::string& bytes) {
  ElfW(Ehdr) head{};
  if (bytes.size() < sizeof(head)
      || bytes.compare(0, SELFMAG, ELFMAG, SELFMAG) != 0)
    return "is no shared object";
  std::memcpy(&head, bytes.data(), sizeof(head));
  constexpr auto cut = "is cut off";
  if (head.e_phentsize != sizeof(ElfW(Phdr))
      || !is_within(bytes, head.e_phoff,
                    uint64_t{head.e_phnum} * head.e_phentsize)
      || !is_within(bytes, head.e_shoff,
                    uint64_t{head.e_shnum} * head.e_shentsize))
    return cut;
  for (unsigned i = 0; i < head.e_phnum; ++i) {
    ElfW(Phdr) part{};
    std::memcpy(&part, bytes.data() + head.e_phoff + i * sizeof(part),
                sizeof(part));
    if (part.p_type == PT_LOAD
        && !is_within(bytes, part.p_offset, part.p_filesz))
      return cut;
  }
  return {};
}

std::string check(const plugin_entry& entry) {
  if (entry.magic != plugin_magic)
    return "its entry point is none of Troupe's";
  if (entry.abi_version != plugin_abi_version)
    return "it was built for ABI version " + std::to_string(entry.abi_version)
           + ", this node has " + std::to_string(plugin_abi_version)
           + ": build it again";
  if (entry.module_size != sizeof(module))
    return std::string{"it was built with another standard library or other "
                       "flags, by compiler "}
           + entry.compiler;
  if (!entry.fill)
    return "its entry point has no module";
  return {};
}

} // namespace

expected<uint64_t> fingerprint_of(const std::filesystem::path& file) {
  auto bytes = read_all(file);
  if (!bytes)
    return bytes.error();
  return uint64_t{XXH3_64bits(bytes->data(), bytes->size())};
}

expected<loaded_plugin> load_plugin(const std::filesystem::path& file) {
  auto bytes = read_all(file);
  if (!bytes)
    return bytes.error();
  if (auto why = check_whole(*bytes); !why.empty())
    return refuse(file, why);
  memory_copy copy{file.filename().string(), *bytes};
  if (!copy.complete())
    return refuse(file,
                  std::string{"cannot be copied: "} + std::strerror(errno));
  // Never closed: a call, a type's virtual table or a static may live in it.
  auto handle = ::dlopen(copy.path().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    auto why = ::dlerror();
    return refuse(file, why ? why : "cannot be opened");
  }
  copy.keep_open();
  auto entry = static_cast<const plugin_entry*>(::dlsym(handle, plugin_symbol));
  if (!entry)
    return refuse(file, std::string{"does not export '"} + plugin_symbol
                          + "' (see TROUPE_PLUGIN)");
  if (auto why = check(*entry); !why.empty())
    return refuse(file, why);
  loaded_plugin result;
  result.fingerprint = XXH3_64bits(bytes->data(), bytes->size());
  try {
    entry->fill(result.content);
  } catch (const std::exception& e) {
    return refuse(file, e.what());
  } catch (...) {
    return refuse(file, "its module threw something that is no exception");
  }
  return result;
}

} // namespace troupe
