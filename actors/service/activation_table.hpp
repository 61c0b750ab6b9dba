// The activations of one service on one node, by key. Callers find theirs here
// and go straight to it; the host, which starts and passivates them, is off the
// path of a call. A call counts at its activation under the same lock under
// which the host takes it out, so that none is sent to one that ends.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_set>

#include "actors/service/activation_slot.hpp"

namespace troupe {

/// Thread-safe.
class activation_table {
public:
  /// How a call was received.
  enum class entry : uint8_t {
    /// It counts as pending there now.
    entered,
    /// As many as may be are pending there.
    full,
    /// There is none that takes calls.
    absent,
  };

  struct visit {
    entry what = entry::absent;
    activation_ref slot;
  };

  activation_table() = default;
  activation_table(const activation_table&) = delete;
  ~activation_table();

  /// A call for `key` comes at `now` (ns of the clock).
  visit enter(std::string_view key, uint32_t pending_max, int64_t now);

  /// What is there of `key`; empty if nothing.
  activation_ref find(std::string_view key) const;

  /// Adds `slot`, in place of one of its key that is gone.
  void add(activation_slot& slot);

  /// Takes `slot` out if no call is pending there. Once it is out, none comes.
  bool remove_if_idle(activation_slot& slot);

  /// Takes `slot` out.
  void remove(activation_slot& slot);

private:
  struct key_hash {
    using is_transparent = void;

    size_t operator()(std::string_view x) const noexcept {
      return std::hash<std::string_view>{}(x);
    }

    size_t operator()(const activation_slot* x) const noexcept {
      return (*this)(std::string_view{x->key});
    }
  };

  struct same_key {
    using is_transparent = void;

    static std::string_view key_of(std::string_view x) noexcept { return x; }

    static std::string_view key_of(const activation_slot* x) noexcept {
      return x->key;
    }

    template <class T, class U>
    bool operator()(const T& x, const U& y) const noexcept {
      return key_of(x) == key_of(y);
    }
  };

  /// Callers of different keys seldom meet.
  struct alignas(64) part {
    mutable std::mutex mutex;
    std::unordered_set<activation_slot*, key_hash, same_key> slots; // with refs
  };

  static constexpr size_t parts_count = 64;

  /// @pre the caller has the lock of `place`
  static void take_out(part& place, activation_slot& slot);

  const part& part_of(std::string_view key) const noexcept {
    // The low bits choose the bucket within the part.
    return parts_[key_hash{}(key) >> 48 & (parts_count - 1)];
  }

  part& part_of(std::string_view key) noexcept {
    return const_cast<part&>(std::as_const(*this).part_of(key));
  }

  std::array<part, parts_count> parts_;
};

} // namespace troupe
