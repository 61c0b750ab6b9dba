#include "nodes/link/outbound_link.hpp"

namespace troupe::link {

namespace {

/// Of the reason of a failure: a part of it may be the peer's words.
constexpr size_t failure_length_max = 256;

using outcome = forwarded_answer::outcome;

forwarded_answer without_result(outcome what) {
  forwarded_answer result;
  result.what = what;
  return result;
}

forwarded_answer too_many(const peer_identity& peer) {
  auto result = without_result(outcome::failed);
  result.failure = error{errc::too_many_requests,
                         "too many calls are under way to " + peer.node}
                     .retry_after(1);
  return result;
}

/// The call would be another one to a peer that skips what it does not know.
forwarded_answer not_spoken(const peer_identity& peer, uint32_t version) {
  auto result = without_result(outcome::failed);
  result.failure = error{
    errc::not_implemented,
    "node '" + peer.node + "' speaks version " + std::to_string(version)
      + " of the wire, in which calls show no locks; it is to be upgraded"};
  return result;
}

} // namespace

void outbound_link::send(outgoing_call_ptr call, turn* together) {
  auto by = current();
  auto version = wire_version_.load();
  if (by && wire::version_for(call->content) > version) {
    call->answered(not_spoken(where_.who, version), nullptr);
    return;
  }
  auto done = by ? by->send(call, together) : session::sent::closed;
  switch (done) {
  case session::sent::yes:
    calls_.fetch_add(1, std::memory_order_relaxed);
    break;
  case session::sent::full:
    refused_.fetch_add(1, std::memory_order_relaxed);
    call->answered(too_many(where_.who), nullptr);
    break;
  case session::sent::closed:
    call->answered(without_result(outcome::unsent), nullptr);
    break;
  case session::sent::given_up:
    break;
  }
}

void outbound_link::notify(peer_notice notice) {
  if (auto by = current())
    by->notify(notice);
}

link_stats outbound_link::stats() const {
  link_stats result;
  result.up = up();
  result.calls = calls_.load();
  result.refused = refused_.load();
  result.lost = lost_.load();
  result.connects = connects_.load();
  result.wire_version = wire_version_.load();
  if (auto by = current()) {
    result.in_flight = by->in_flight();
    result.bytes_in_flight = by->bytes_in_flight();
  }
  return result;
}

void outbound_link::established(session_ptr by, uint32_t wire_version) {
  wire_version_.store(wire_version);
  connects_.fetch_add(1);
  std::lock_guard guard{mutex_};
  session_ = std::move(by);
  failure_.clear();
  up_.store(true, std::memory_order_release);
}

void outbound_link::broken() {
  session_ptr by;
  {
    std::lock_guard guard{mutex_};
    up_.store(false, std::memory_order_release);
    by = std::exchange(session_, nullptr);
  }
  if (!by)
    return;
  for (auto& x : by->close()) {
    lost_.fetch_add(x.left);
    x.call->answered(without_result(x.left ? outcome::lost : outcome::unsent),
                     nullptr);
  }
}

void outbound_link::failed(std::string_view why) {
  broken();
  std::lock_guard guard{mutex_};
  failure_ = why.substr(0, failure_length_max);
}

std::string outbound_link::failure() const {
  std::lock_guard guard{mutex_};
  return failure_;
}

session_ptr outbound_link::current() const {
  std::lock_guard guard{mutex_};
  return session_;
}

} // namespace troupe::link
