#include "actors/core/caf_error.hpp"

#include <caf/atom.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>

namespace troupe {

namespace {

constexpr auto category = caf::atom("troupe");

} // namespace

caf::error to_caf_error(const error& reason) {
  return caf::error{
    static_cast<uint8_t>(reason.code()), category,
    caf::make_message(static_cast<uint8_t>(reason.what_happened()),
                      std::string{reason.type()}, reason.message(),
                      reason.retry_after_s())};
}

error to_error(const caf::error& reason) {
  auto& context = reason.context();
  if (reason.category() != category
      || !context.match_elements<uint8_t, std::string, std::string, uint32_t>())
    return {errc::internal_error, caf::deep_to_string(reason)};
  auto code = static_cast<errc>(reason.code());
  auto& message = context.get_as<std::string>(2);
  auto result = code == errc::handler_failed
                  ? error::from_handler(context.get_as<std::string>(1), message)
                  : error{code, message};
  result.with_effect(static_cast<effect>(context.get_as<uint8_t>(0)));
  result.retry_after(context.get_as<uint32_t>(3));
  return result;
}

} // namespace troupe
