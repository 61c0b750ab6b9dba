// Which instances of a pool are free. Callers on any thread claim one by a
// single atomic operation and no lock: a bit for each slot, 64 to a word, each
// word in its own cache line. A caller starts at the word that it used last, so
// that threads that call at the same time seldom meet.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace troupe {

/// A fixed number of slots. A slot is closed (no instance), free or claimed.
/// Every member may be called from any thread.
class slots {
public:
  /// @param count how many there are; all are closed at first.
  explicit slots(size_t count);

  size_t size() const noexcept { return size_; }

  /// Claims a free slot, looking from `hint` on. Whoever claims one owns it
  /// until it calls `release` or `close`.
  std::optional<size_t> claim(size_t hint = 0) noexcept;

  /// Claims `slot` if it is free.
  bool claim_exactly(size_t slot) noexcept;

  /// A claimed or closed slot is free.
  void release(size_t slot) noexcept;

  /// How many are free now; a moment later it may be another number.
  size_t free() const noexcept;

private:
  struct alignas(64) word {
    std::atomic<uint64_t> free{0};
  };

  size_t size_;
  size_t words_;
  std::unique_ptr<word[]> bits_;
};

} // namespace troupe
