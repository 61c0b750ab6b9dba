#include "nodes/cluster_log.hpp"

#include <algorithm>
#include <utility>

#include "nodes/log_line.hpp"

namespace troupe {

namespace {

/// "node b", "2 nodes", with what happened to them.
std::string line_of(const std::vector<std::string>& names, const char* what) {
  if (names.size() == 1)
    return "node '" + names[0] + "' " + what;
  return std::to_string(names.size()) + " nodes " + what + ": "
         + log_list(names, cluster_log::names_max);
}

/// "127.0.0.1" of "127.0.0.1:50123"
std::string host_of(std::string_view address) {
  return std::string{address.substr(0, address.rfind(':'))};
}

std::string reason(std::string_view why) {
  return why.empty() ? "it does not answer" : std::string{why};
}

} // namespace

cluster_log::cluster_log(std::function<void(level, const std::string&)> write,
                         std::function<time_point()> now)
  : write_(std::move(write)), now_(std::move(now)) {}

void cluster_log::say(level x, const std::string& line) {
  write_(x, log_line(line));
}

// -- views -------------------------------------------------------------------

void cluster_log::seen(const cluster_view& view,
                       const cluster_counts& counts) noexcept {
  std::lock_guard guard{mutex_};
  see_counts(view, counts);
  // Before it has joined, and after it has left, it sees nobody.
  if (!view.own())
    return see_end(view);
  see_gone(view);
  see_joined(view);
  see_own(view);
}

void cluster_log::see_counts(const cluster_view& view,
                             const cluster_counts& counts) {
  auto fenced = counts.fenced.load();
  if (std::exchange(fenced_, fenced) != fenced)
    say(level::warning, "this node was declared dead, and joins anew");
  auto taken = counts.taken.load();
  auto before = std::exchange(taken_, taken);
  if (taken <= before)
    return;
  auto what = "took " + std::to_string(taken - before) + " shards ";
  auto own = view.own();
  auto is_gone = [&](auto& x) {
    return !view.find(x.first) && !(own && own->node == x.second.node);
  };
  // Of whoever was there before this node, it knows neither how nor when it ended.
  if (!saw_end_ && std::none_of(peers_.begin(), peers_.end(), is_gone))
    return say(level::info, what + "of nodes that are gone");
  auto ms = counts.takeover_ns.load() / 1'000'000;
  say(level::info, what + "of dead nodes over, " + std::to_string(ms)
                     + " ms after the last sign of life");
}

void cluster_log::see_end(const cluster_view& view) {
  if (view.self.empty() && !std::exchange(up_as_, {}).empty())
    say(level::info, "this node has left the cluster");
}

void cluster_log::see_gone(const cluster_view& view) {
  std::vector<std::string> left;
  std::vector<std::string> dead;
  std::vector<std::string> gone;
  std::erase_if(peers_, [&](auto& entry) {
    auto& x = entry.second;
    if (view.find(entry.first))
      return false;
    if (x.node == view.own()->node) // an earlier run of this one
      return true;
    if (x.declared)
      dead.push_back(x.node);
    else if (x.leaves)
      left.push_back(x.node);
    else if (x.was_up)
      gone.push_back(x.node);
    return true;
  });
  saw_end_ |= !left.empty() || !dead.empty() || !gone.empty();
  if (!left.empty())
    say(level::info, line_of(left, "left"));
  if (!dead.empty())
    say(level::warning, line_of(dead, "declared dead by this node"));
  if (!gone.empty())
    say(level::warning, line_of(gone, "declared dead by another node"));
}

void cluster_log::see_joined(const cluster_view& view) {
  std::vector<std::string> joined;
  for (auto& x : view.nodes) {
    if (x.incarnation == view.self)
      continue;
    auto& known = peers_[x.incarnation];
    known.node = x.node;
    known.leaves = known.leaves || x.state == node_state::draining;
    if (x.state == node_state::up && !std::exchange(known.was_up, true))
      joined.push_back(x.node);
  }
  // Those that were there first have not joined.
  if (!joined.empty() && !up_as_.empty())
    say(level::info, line_of(joined, "joined"));
}

void cluster_log::see_own(const cluster_view& view) {
  if (view.own()->state != node_state::up || up_as_ == view.self)
    return;
  up_as_ = view.self;
  std::vector<std::string> others;
  for (auto& [incarnation, x] : peers_)
    if (x.was_up && !x.leaves)
      others.push_back(x.node);
  say(level::info,
      "this node is up, "
        + (others.empty() ? std::string{"the only one"}
                          : "beside " + log_list(others, names_max)));
}

void cluster_log::leaves(const peer_identity& peer) noexcept {
  std::lock_guard guard{mutex_};
  auto i = peers_.find(peer.incarnation);
  if (i != peers_.end())
    i->second.leaves = true;
}

void cluster_log::declared(const peer_identity& peer) noexcept {
  std::lock_guard guard{mutex_};
  auto i = peers_.find(peer.incarnation);
  if (i != peers_.end())
    i->second.declared = true;
}

// -- links -------------------------------------------------------------------

void cluster_log::waits(const link_wait& what) noexcept {
  std::lock_guard guard{mutex_};
  auto now = now_();
  if (now < waits_next_)
    return;
  waits_next_ = now + repeat_after;
  auto shown = std::min(what.missing.size(), reasons_max);
  auto line = "this node joins, and is linked to "
              + std::to_string(what.nodes - what.missing.size()) + " of "
              + std::to_string(what.nodes) + " others:";
  for (size_t i = 0; i < shown; ++i) {
    auto& x = what.missing[i];
    line += (i == 0 ? " " : "; ");
    line += "cannot link to node '" + x.node + "' at " + x.address + ": "
            + reason(x.why);
  }
  say(level::warning, line + and_more(what.missing.size(), shown));
}

void cluster_log::link_up(const peer_identity& peer) noexcept {
  std::lock_guard guard{mutex_};
  auto i = peers_.find(peer.incarnation);
  if (i == peers_.end())
    return;
  i->second.linked = true;
  if (std::exchange(i->second.lost, false))
    say_of_link(level::info,
                "the link to node '" + peer.node + "' is up again");
}

void cluster_log::link_down(const peer_identity& peer,
                            std::string_view why) noexcept {
  std::lock_guard guard{mutex_};
  auto i = peers_.find(peer.incarnation);
  if (i == peers_.end() || i->second.leaves
      || !std::exchange(i->second.linked, false))
    return;
  i->second.lost = true;
  say_of_link(level::warning,
              "the link to node '" + peer.node + "' is lost: " + reason(why));
}

void cluster_log::say_of_link(level x, std::string line) {
  auto now = now_();
  if (now >= window_end_) {
    window_end_ = now + link_window;
    window_lines_ = 0;
  }
  if (window_lines_ == link_lines_max) {
    ++left_out_;
    return;
  }
  ++window_lines_;
  if (auto n = std::exchange(left_out_, 0))
    line += " (" + std::to_string(n) + " lines about links were left out)";
  say(x, line);
}

void cluster_log::link_refused(std::string_view address,
                               std::string_view why) noexcept {
  std::lock_guard guard{mutex_};
  auto now = now_();
  std::erase_if(refused_,
                [&](auto& x) { return now - x.second >= repeat_after; });
  if (refused_.size() >= addresses_max
      || !refused_.emplace(host_of(address), now).second)
    return;
  say(level::warning,
      "a link from " + std::string{address} + " was refused: " + reason(why));
}

} // namespace troupe
