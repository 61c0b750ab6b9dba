#include "actors/model/slots.hpp"

#include <bit>
#include <cassert>

namespace troupe {

slots::slots(size_t count)
  : size_(count), words_((count + 63) / 64),
    bits_(std::make_unique<word[]>(words_)) {
  assert(count > 0);
}

std::optional<size_t> slots::claim(size_t hint) noexcept {
  auto first = hint < size_ ? hint / 64 : 0;
  for (size_t i = 0; i < words_; ++i) {
    auto index = first + i < words_ ? first + i : first + i - words_;
    auto& bits = bits_[index].free;
    auto seen = bits.load(); // see `release`
    while (seen != 0) {
      auto bit = i == 0 && (seen >> (hint % 64) & 1) != 0
                   ? static_cast<int>(hint % 64)
                   : std::countr_zero(seen);
      auto mask = uint64_t{1} << bit;
      if (bits.compare_exchange_weak(seen, seen & ~mask,
                                     std::memory_order_acquire,
                                     std::memory_order_relaxed))
        return index * 64 + static_cast<size_t>(bit);
    }
  }
  return std::nullopt;
}

bool slots::claim_exactly(size_t slot) noexcept {
  assert(slot < size_);
  auto mask = uint64_t{1} << (slot % 64);
  return (bits_[slot / 64].free.fetch_and(~mask, std::memory_order_acquire)
          & mask)
         != 0;
}

void slots::release(size_t slot) noexcept {
  assert(slot < size_);
  // Sequentially consistent: who frees a slot looks afterwards whether somebody
  // waits, and who waits looks afterwards whether a slot is free.
  bits_[slot / 64].free.fetch_or(uint64_t{1} << (slot % 64));
}

size_t slots::free() const noexcept {
  size_t result = 0;
  for (size_t i = 0; i < words_; ++i)
    result += static_cast<size_t>(std::popcount(bits_[i].free.load()));
  return result;
}

} // namespace troupe
