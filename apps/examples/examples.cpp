// The plugin that the first steps of the README, the tests and the benchmarks
// call. Written as a user would write one.

#include <chrono>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include <troupe/plugin.hpp>

namespace {

/// Any JSON value under a key.
struct data_service {
  troupe::json data;

  troupe::json set_data(troupe::json value) {
    data = std::move(value);
    return data;
  }

  troupe::json get_data() const { return data; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(data_service, data)
};

/// A number under a key.
struct counter {
  int64_t value = 0;

  int64_t increment(std::optional<int64_t> by) {
    int64_t next = 0;
    if (__builtin_add_overflow(value, by.value_or(1), &next))
      throw std::overflow_error("the counter cannot hold that number");
    return value = next;
  }

  int64_t get() const { return value; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)
};

troupe::task<uint32_t> sleep(troupe::context& ctx, uint32_t ms) {
  co_await ctx.sleep(std::chrono::milliseconds{ms});
  co_return ms;
}

std::string fail(std::string message) {
  throw std::runtime_error(message);
}

troupe::task<troupe::json> data_function(troupe::context& ctx,
                                         troupe::text key) {
  if (!troupe::is_valid_key(key.value))
    throw troupe::error_exception{
      {troupe::errc::bad_request, "a key is 1 to 512 bytes of UTF-8"}};
  co_return co_await ctx.entity<data_service>(key.value).call(
    &data_service::get_data);
}

troupe::module examples() {
  using namespace std::chrono_literals;
  troupe::module m;
  m.function("echo", [](std::string bytes) { return bytes; });
  m.function("add", [](int64_t a, int64_t b) {
    int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum))
      throw std::overflow_error("the sum does not fit into 64 bits");
    return sum;
  });
  m.function("sleep", sleep).timeout(900s);
  m.function("fail", fail);
  m.function("data_function", data_function);
  m.service<data_service>("data_service")
    .method("set_data", &data_service::set_data)
    .method("get_data", &data_service::get_data);
  m.service<counter>("counter")
    .method("increment", &counter::increment)
    .method("get", &counter::get);
  return m;
}

} // namespace

TROUPE_PLUGIN(examples)
