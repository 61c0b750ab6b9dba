#include "actors/model/fingerprint.hpp"

#include <cstdint>
#include <memory>
#include <new>

#include <xxhash.h>

namespace troupe {

std::string fingerprint(std::initializer_list<std::string_view> parts) {
  std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state{
    XXH3_createState(), XXH3_freeState};
  if (!state)
    throw std::bad_alloc{};
  XXH3_128bits_reset(state.get());
  for (auto x : parts) {
    uint64_t size = x.size();
    XXH3_128bits_update(state.get(), &size, sizeof size);
    XXH3_128bits_update(state.get(), x.data(), x.size());
  }
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, XXH3_128bits_digest(state.get()));
  return {reinterpret_cast<const char*>(bytes.digest), sizeof bytes.digest};
}

} // namespace troupe
