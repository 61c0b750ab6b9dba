#include "actors/core/lock_proof.hpp"

#include <algorithm>
#include <charconv>

#include "actors/core/module.hpp"

namespace troupe {

namespace {

std::string_view trimmed(std::string_view x) noexcept {
  while (!x.empty() && (x.front() == ' ' || x.front() == '\t'))
    x.remove_prefix(1);
  while (!x.empty() && (x.back() == ' ' || x.back() == '\t'))
    x.remove_suffix(1);
  return x;
}

error wrong(std::string why) {
  return {errc::bad_request, std::move(why)};
}

} // namespace

std::string to_string(const std::vector<lock_proof>& proofs) {
  std::string result;
  for (auto& x : proofs)
    result +=
      (result.empty() ? "" : ", ") + x.name + '=' + std::to_string(x.token);
  return result;
}

uint64_t parse_lock_token(std::string_view text) noexcept {
  uint64_t result = 0;
  auto end = text.data() + text.size();
  auto [rest, failed] = std::from_chars(text.data(), end, result);
  return failed == std::errc{} && rest == end && result <= lock_token_max
           ? result
           : 0;
}

expected<std::vector<lock_proof>>
checked_lock_proofs(std::vector<lock_proof> proofs) {
  if (proofs.size() > lock_proofs_max)
    return wrong("a call shows " + std::to_string(lock_proofs_max)
                 + " locks at most");
  std::sort(proofs.begin(), proofs.end());
  for (size_t i = 0; i < proofs.size(); ++i) {
    auto& x = proofs[i];
    if (!is_valid_name(x.name))
      return wrong("'" + x.name.substr(0, 100)
                   + "' is no name of a lock: [A-Za-z0-9_-]{1,64}");
    if (i > 0 && proofs[i - 1].name == x.name)
      return wrong("the lock '" + x.name + "' is there more than once");
    if (x.token < 1 || x.token > lock_token_max)
      return wrong("a token of a lock is a number from 1");
  }
  return proofs;
}

expected<std::vector<lock_proof>> parse_lock_proofs(std::string_view text) {
  std::vector<lock_proof> result;
  for (size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    auto one = trimmed(text.substr(begin, end - begin));
    auto equals = one.find('=');
    if (equals == one.npos || result.size() > lock_proofs_max)
      return wrong("a lock is shown as name=token, several with commas, "
                   + std::to_string(lock_proofs_max) + " at most");
    result.push_back({std::string{one.substr(0, equals)},
                      parse_lock_token(one.substr(equals + 1))});
    begin = end + 1;
  }
  return checked_lock_proofs(std::move(result));
}

} // namespace troupe
