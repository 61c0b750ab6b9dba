#include "nodes/link/session.hpp"

#include <caf/send.hpp>

#include "actors/core/lender.hpp"
#include "nodes/link/messages.hpp"

namespace troupe::link {

namespace {

/// What a call costs beside its arguments.
constexpr uint64_t bytes_a_call = 512;

} // namespace

// -- for callers and handlers --------------------------------------------------

session::sent session::send(const outgoing_call_ptr& call, turn* together) {
  auto& content = call->content;
  auto bytes = content.arguments.bytes.size() + bytes_a_call;
  std::unique_lock guard{mutex_};
  if (closed_)
    return sent::closed;
  if (in_flight_ >= around_.options.in_flight_max
      || (in_flight_ > 0
          && bytes_in_flight_ + bytes > around_.options.bytes_in_flight_max))
    return sent::full;
  if (content.arguments.bytes.size() > around_.options.bulk_threshold) {
    large_.push_back({++next_stream_, add(call, bytes), call, {}});
  } else {
    if (!call->leave())
      return sent::given_up;
    auto number = add(call, bytes);
    find(number)->batch = batch_;
    wire::append_call(small_, number, content, around_.clock.now(),
                      around_.time);
  }
  wake(std::move(guard), together);
  return sent::yes;
}

void session::answer(uint64_t number, forwarded_answer x) {
  std::unique_lock guard{mutex_};
  if (closed_)
    return;
  if (x.result.bytes.size() > around_.options.bulk_threshold)
    large_.push_back({++next_stream_, number, nullptr, std::move(x)});
  else
    wire::append_answer(small_, number, x);
  wake(std::move(guard), nullptr);
}

void session::notify(const peer_notice& notice) {
  std::unique_lock guard{mutex_};
  if (closed_)
    return;
  wire::append_notice(small_, notice);
  wake(std::move(guard), nullptr);
}

void session::wake(std::unique_lock<std::mutex> guard, turn* together) {
  if (std::exchange(woken_, true))
    return;
  guard.unlock();
  auto tell = [self = session_ptr{this}] {
    caf::anon_send(self->broker_, flush_request{self});
  };
  if (together)
    together->put_off([tell](lender&) { tell(); });
  else
    tell();
}

uint32_t session::in_flight() const {
  std::lock_guard guard{mutex_};
  return in_flight_;
}

uint64_t session::bytes_in_flight() const {
  std::lock_guard guard{mutex_};
  return bytes_in_flight_;
}

// -- calls under way -----------------------------------------------------------

uint64_t session::add(const outgoing_call_ptr& call, uint64_t bytes) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(entries_.size()));
    entries_.emplace_back();
  }
  auto slot = free_.back();
  free_.pop_back();
  auto& x = entries_[slot];
  x.call = call;
  x.bytes = bytes;
  x.batch = never;
  ++in_flight_;
  bytes_in_flight_ += bytes;
  return uint64_t{++x.generation} << 32 | slot;
}

session::entry* session::find(uint64_t number) {
  auto slot = number & UINT32_MAX;
  if (slot >= entries_.size())
    return nullptr;
  auto& x = entries_[slot];
  return x.call && x.generation == number >> 32 ? &x : nullptr;
}

outgoing_call_ptr session::remove(uint64_t number) {
  auto x = find(number);
  if (!x)
    return nullptr;
  --in_flight_;
  bytes_in_flight_ -= x->bytes;
  free_.push_back(static_cast<uint32_t>(number & UINT32_MAX));
  return std::move(x->call);
}

// -- for the broker ------------------------------------------------------------

void session::take_small(wire::buffer& out) {
  std::lock_guard guard{mutex_};
  woken_ = false;
  ++batch_;
  if (out.empty()) {
    out.swap(small_);
    return;
  }
  out.insert(out.end(), small_.begin(), small_.end());
  small_.clear();
}

bool session::may_begin() const {
  return !large_.empty()
         && (streams_.empty()
             || streams_bytes_ + large_.front().bytes().size()
                  <= around_.options.bytes_in_flight_max);
}

void session::begin(large x, wire::buffer& out) {
  if (!x.call) {
    wire::append_bulk_answer(out, x.stream, x.number, x.answer);
  } else if (x.call->leave()) {
    wire::append_bulk_call(out, x.stream, x.number, x.call->content,
                           around_.clock.now(), around_.time);
  } else {
    remove(x.number);
    return;
  }
  streams_bytes_ += x.bytes().size();
  streams_.push_front(std::move(x));
}

bool session::take_chunk(wire::buffer& out) {
  std::lock_guard guard{mutex_};
  auto before = streams_.size();
  while (streams_.size() == before && may_begin()) {
    auto x = std::move(large_.front());
    large_.pop_front();
    begin(std::move(x), out);
  }
  if (streams_.empty())
    return false;
  auto x = std::move(streams_.front());
  streams_.pop_front();
  auto piece =
    std::string_view{x.bytes()}.substr(x.offset, around_.options.chunk_size);
  wire::append_chunk(out, x.stream, piece);
  x.offset += piece.size();
  if (x.offset < x.bytes().size()) {
    streams_.push_back(std::move(x)); // each gets its turn
    return true;
  }
  streams_bytes_ -= x.bytes().size();
  if (auto sent = x.call ? find(x.number) : nullptr)
    sent->batch = 0;
  return true;
}

std::vector<outgoing_call_ptr>
session::take_answered(const std::vector<wire::numbered_answer>& answers) {
  std::vector<outgoing_call_ptr> result;
  result.reserve(answers.size());
  std::lock_guard guard{mutex_};
  for (auto& x : answers)
    result.push_back(remove(x.number));
  return result;
}

void session::seal() {
  std::lock_guard guard{mutex_};
  closed_ = true;
}

std::vector<lost_call> session::close() {
  std::vector<lost_call> result;
  std::lock_guard guard{mutex_};
  closed_ = true;
  for (auto& x : entries_)
    if (x.call)
      result.push_back({std::move(x.call), x.batch < batch_});
  entries_.clear();
  large_.clear();
  streams_.clear();
  streams_bytes_ = 0;
  small_.clear();
  in_flight_ = 0;
  bytes_in_flight_ = 0;
  return result;
}

} // namespace troupe::link
