#include "actors/core/sha256.hpp"

#include <array>
#include <new>

#include <openssl/evp.h>

namespace troupe {

std::string sha256(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (auto x : parts)
    all.append(std::to_string(x.size())).append(":").append(x);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(all.data(), all.size(), digest.data(), &size, EVP_sha256(),
                 nullptr)
      != 1)
    throw std::bad_alloc{}; // there is no other reason
  std::string result;
  for (unsigned i = 0; i < size; ++i) {
    constexpr auto digits = "0123456789abcdef";
    result += digits[digest[i] >> 4];
    result += digits[digest[i] & 15];
  }
  return result;
}

} // namespace troupe
