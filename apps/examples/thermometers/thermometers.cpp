// Thermometers that report over MQTT: each has a digital twin, an entity that knows
// what it measured last. A twin that grows hot tells of it with a CloudEvent, and
// once a day a schedule asks all of them what the day was like. README.md in this
// folder says how to run it.

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <troupe/plugin.hpp>

namespace {

/// Degrees Celsius from which a thermometer is hot, and below which it is not any
/// more: one that stands at the limit gives one alarm, not many.
constexpr double hot_from = 30;
constexpr double cool_below = 28;

/// What a thermometer sends: the number makes it known when it comes again.
struct reading {
  int64_t number = 0;
  double celsius = 0;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(reading, number, celsius)
};

/// What a day was like.
struct day {
  int readings = 0;
  double lowest = 0;
  double highest = 0;

  void add(double celsius) {
    lowest = readings == 0 ? celsius : std::min(lowest, celsius);
    highest = readings == 0 ? celsius : std::max(highest, celsius);
    ++readings;
  }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(day, readings, lowest, highest)
};

/// The twin of one thermometer; its key is the thermometer's name.
struct thermometer {
  double celsius = 0;
  bool is_hot = false;
  bool is_listed = false;
  day today;

  void report(troupe::context& ctx, reading x) {
    celsius = x.celsius;
    today.add(celsius);
    // With the same commit as the reading: none is lost, none comes twice.
    if (!std::exchange(is_listed, true))
      ctx.send({"site", {}, "home", "add"},
               troupe::arguments_of(std::string{ctx.key()}));
    if (celsius >= hot_from && !std::exchange(is_hot, true))
      tell(ctx);
    else if (celsius < cool_below)
      is_hot = false;
  }

  troupe::json show() const {
    return {{"celsius", celsius}, {"hot", is_hot}, {"today", today}};
  }

  /// A new day begins.
  day close_day() { return std::exchange(today, {}); }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(thermometer, celsius, is_hot, is_listed, today)

private:
  void tell(troupe::context& ctx) const {
    troupe::cloud_event alarm;
    alarm.source = "/thermometers/" + std::string{ctx.key()};
    alarm.type = "com.example.thermometer.hot";
    alarm.data = troupe::json{{"celsius", celsius}}.dump();
    ctx.publish(std::move(alarm));
  }
};

/// Knows all thermometers of a place.
struct site {
  std::set<std::string> thermometers;

  void add(std::string name) { thermometers.insert(std::move(name)); }

  /// By name, what each measured since the last report.
  troupe::task<troupe::json> report(troupe::context& ctx) {
    auto result = troupe::json::object();
    for (auto& name : std::vector(thermometers.begin(), thermometers.end()))
      result[name] =
        co_await ctx.entity<thermometer>(name).call(&thermometer::close_day);
    co_return result;
  }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(site, thermometers)
};

troupe::module thermometers() {
  troupe::module m;
  m.service<thermometer>("thermometer")
    .method("report", &thermometer::report)
    .method("show", &thermometer::show)
    .method("close_day", &thermometer::close_day);
  m.service<site>("site")
    .method("add", &site::add)
    .method("report", &site::report);
  return m;
}

} // namespace

TROUPE_PLUGIN(thermometers)
