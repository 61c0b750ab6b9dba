#include "actors/core/random_name.hpp"

#include <random>

namespace troupe {

std::string random_name() {
  constexpr auto digits = "0123456789abcdef";
  std::random_device random;
  std::string result;
  for (int i = 0; i < 32; ++i)
    result += digits[random() % 16];
  return result;
}

} // namespace troupe
