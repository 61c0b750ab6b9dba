#include "actors/model/missed_firings.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

std::string_view to_string(missed_firings x) {
  switch (x) {
  case missed_firings::skip:
    return "skip";
  case missed_firings::once:
    return "once";
  case missed_firings::all:
    return "all";
  }
  return "invalid";
}

std::optional<missed_firings> parse_missed_firings(std::string_view text) {
  for (auto x :
       {missed_firings::skip, missed_firings::once, missed_firings::all})
    if (to_string(x) == text)
      return x;
  return std::nullopt;
}

std::optional<std::string> catch_up_options::validate() const {
  if (on_time.count() < 0)
    return "the time in which a firing is on time must not be negative";
  if (most == 0)
    return "at least one firing must be run at once";
  return std::nullopt;
}

catch_up firings_to_run(const schedule& of, schedule::time_point seen,
                        schedule::time_point now,
                        const catch_up_options& options) {
  assert(!options.validate());
  if (now <= seen)
    return {{}, seen, 0};
  catch_up result{{}, now, 0};
  auto from = seen;
  if (options.missed != missed_firings::all) {
    // A firing at `missed_until` is late; those after it are on time.
    auto missed_until = now - options.on_time - std::chrono::seconds{1};
    from = std::max(seen, missed_until);
    if (from > seen)
      result.skipped =
        of.due_between(seen, from, catch_up::skipped_max).times.size();
    if (options.missed == missed_firings::once && from > seen)
      if (auto last = of.last_between(seen, from))
        result.run.push_back(*last);
    result.skipped -= result.run.size();
  }
  auto room = options.most - result.run.size();
  auto due = of.due_between(from, now, room);
  result.run.insert(result.run.end(), due.times.begin(), due.times.end());
  if (due.more)
    result.seen = result.run.empty() ? from : result.run.back();
  return result;
}

} // namespace troupe
