#include "actors/cluster/wire.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>

namespace troupe::wire {

namespace {

using namespace std::chrono;

/// No deadline is further away; a sum with it does not overflow.
constexpr nanoseconds remaining_max = hours{24};

// -- writing -------------------------------------------------------------------

void append_varint(buffer& out, uint64_t x) {
  while (x >= 0x80) {
    out.push_back(static_cast<char>(x | 0x80));
    x >>= 7;
  }
  out.push_back(static_cast<char>(x));
}

size_t varint_size(uint64_t x) {
  size_t result = 1;
  for (; x >= 0x80; x >>= 7)
    ++result;
  return result;
}

void append_bytes(buffer& out, std::string_view x) {
  out.insert(out.end(), x.begin(), x.end());
}

/// Writes one frame; its length is set when the writer ends.
class writer {
public:
  writer(buffer& out, frame_kind kind) : out_(out), begin_(out.size()) {
    out_.resize(begin_ + 4);
    out_.push_back(static_cast<char>(kind));
  }

  writer(const writer&) = delete;

  ~writer() {
    auto length = out_.size() - begin_ - 4;
    for (size_t i = 0; i < 4; ++i)
      out_[begin_ + i] = static_cast<char>(length >> (8 * i));
  }

  template <class Number>
  writer& bytes(Number number, std::string_view x) {
    out_.push_back(static_cast<char>(number));
    append_varint(out_, x.size());
    append_bytes(out_, x);
    return *this;
  }

  /// Nothing is written for an empty one.
  template <class Number>
  writer& text(Number number, std::string_view x) {
    return x.empty() ? *this : bytes(number, x);
  }

  template <class Number>
  writer& integer(Number number, uint64_t x) {
    out_.push_back(static_cast<char>(number));
    out_.push_back(static_cast<char>(varint_size(x)));
    append_varint(out_, x);
    return *this;
  }

  template <class Number>
  writer& id(Number number, const invocation_id& x) {
    char all[16];
    for (size_t i = 0; i < 8; ++i) {
      all[i] = static_cast<char>(x.high >> (8 * i));
      all[8 + i] = static_cast<char>(x.low >> (8 * i));
    }
    return bytes(number, {all, sizeof(all)});
  }

  buffer& out() noexcept { return out_; }

private:
  buffer& out_;
  size_t begin_;
};

// -- reading -------------------------------------------------------------------

uint64_t take_varint(std::string_view& bytes) {
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    auto x = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    result |= uint64_t{x & 0x7fu} << shift;
    if (x < 0x80)
      return result;
  }
  throw wire_error{"a number has no end"};
}

std::string_view take_bytes(std::string_view& bytes, uint64_t n) {
  if (n > bytes.size())
    throw wire_error{"a field is longer than its frame"};
  auto result = bytes.substr(0, n);
  bytes.remove_prefix(n);
  return result;
}

/// One field of a body.
struct field {
  uint8_t number;
  std::string_view value;

  std::string text() const { return std::string{value}; }

  uint64_t integer() const {
    auto rest = value;
    return take_varint(rest);
  }

  template <class T>
  T narrow() const {
    auto x = integer();
    if (x > static_cast<uint64_t>(std::numeric_limits<T>::max()))
      throw wire_error{"a number is too large"};
    return static_cast<T>(x);
  }

  /// @pre the first of the enumeration is 0 or 1
  template <class T>
  T one_of(T last) const {
    auto x = integer();
    if (x > static_cast<uint64_t>(last))
      throw wire_error{"a value of an unknown kind"};
    return static_cast<T>(x);
  }

  invocation_id id() const {
    if (value.size() != 16)
      throw wire_error{"an id has 16 bytes"};
    auto word = [this](size_t offset) {
      uint64_t result = 0;
      for (size_t i = 0; i < 8; ++i)
        result |= uint64_t{static_cast<unsigned char>(value[offset + i])}
                  << (8 * i);
      return result;
    };
    return {word(0), word(8)};
  }
};

template <class F>
void for_each_field(std::string_view body, F f) {
  while (!body.empty()) {
    auto number = static_cast<uint8_t>(body.front());
    body.remove_prefix(1);
    auto length = take_varint(body);
    f(field{number, take_bytes(body, length)});
  }
}

// -- fields --------------------------------------------------------------------

enum class greeting_field : uint8_t {
  version_min = 1,
  version_max,
  cluster,
  from_node,
  from_incarnation,
  to_node,
  to_incarnation,
  lane,
  session,
  heartbeat_interval_ms,
  heartbeat_timeout_ms,
};

enum class refusal_field : uint8_t { why = 1 };

enum class notice_field : uint8_t { topic = 1, body };

enum class call_field : uint8_t {
  number = 1,
  id,
  function,
  qualifier,
  service,
  key,
  method,
  if_match,
  idempotency_key,
  operation,
  schema,
  shard,
  epoch,
  routing_key,
  trace,
  remaining_ns,
  root_began_ns,
  root_id,
  path,
  content_type,
  arguments,
  lock,
};

enum class lock_field : uint8_t { name = 1, token };

enum class path_field : uint8_t { service = 1, key };

enum class answer_field : uint8_t {
  number = 1,
  outcome,
  error_type,
  error_message,
  effect,
  retry_after_s,
  revision,
  owner_node,
  owner_epoch,
  content_type,
  result,
};

enum class bulk_field : uint8_t { stream = 1, payload_length, kind, body };

// -- calls ---------------------------------------------------------------------

void write_path(writer& to, const std::vector<entity_id>& path) {
  buffer entry;
  for (auto& x : path) {
    entry.clear();
    entry.push_back(static_cast<char>(path_field::service));
    append_varint(entry, x.service.size());
    append_bytes(entry, x.service);
    entry.push_back(static_cast<char>(path_field::key));
    append_varint(entry, x.key.size());
    append_bytes(entry, x.key);
    to.bytes(call_field::path, {entry.data(), entry.size()});
  }
}

entity_id read_path_entry(std::string_view bytes) {
  entity_id result;
  for_each_field(bytes, [&](const field& x) {
    switch (static_cast<path_field>(x.number)) {
    case path_field::service:
      result.service = x.text();
      break;
    case path_field::key:
      result.key = x.text();
      break;
    }
  });
  return result;
}

void write_locks(writer& to, const std::vector<lock_proof>& locks) {
  buffer entry;
  for (auto& x : locks) {
    entry.clear();
    entry.push_back(static_cast<char>(lock_field::name));
    append_varint(entry, x.name.size());
    append_bytes(entry, x.name);
    entry.push_back(static_cast<char>(lock_field::token));
    entry.push_back(static_cast<char>(varint_size(x.token)));
    append_varint(entry, x.token);
    to.bytes(call_field::lock, {entry.data(), entry.size()});
  }
}

lock_proof read_lock(std::string_view bytes) {
  lock_proof result;
  for_each_field(bytes, [&](const field& x) {
    switch (static_cast<lock_field>(x.number)) {
    case lock_field::name:
      result.name = x.text();
      break;
    case lock_field::token:
      result.token = x.integer();
      break;
    }
  });
  return result;
}

void write_entity(writer& to, const entity_call& x) {
  to.bytes(call_field::service, x.service)
    .bytes(call_field::key, x.key)
    .text(call_field::method, x.method)
    .text(call_field::if_match, x.if_match)
    .text(call_field::idempotency_key, x.idempotency_key);
  if (x.operation != entity_operation::call)
    to.integer(call_field::operation, static_cast<uint64_t>(x.operation));
  if (x.schema != 0)
    to.integer(call_field::schema, x.schema);
  write_locks(to, x.locks);
}

void write_call(writer& to, uint64_t number, const forwarded_call& call,
                time_point now, cluster_clock clock) {
  to.integer(call_field::number, number).id(call_field::id, call.id);
  to.text(call_field::function, call.function)
    .text(call_field::qualifier, call.qualifier);
  if (call.entity)
    write_entity(to, *call.entity);
  if (call.shard)
    to.integer(call_field::shard, call.shard->shard)
      .integer(call_field::epoch, call.shard->epoch);
  to.text(call_field::routing_key, call.routing_key)
    .text(call_field::trace, call.trace);
  auto left = std::max<int64_t>(nanoseconds{call.deadline - now}.count(), 0);
  to.integer(call_field::remaining_ns, static_cast<uint64_t>(left));
  if (!call.path.empty()) {
    auto began = call.root.began.time_since_epoch() + clock.offset;
    to.integer(call_field::root_began_ns,
               static_cast<uint64_t>(nanoseconds{began}.count()))
      .id(call_field::root_id, call.root.id);
    write_path(to, call.path);
  }
  to.text(call_field::content_type, call.arguments.content_type);
}

void read_entity_field(forwarded_call& call, const field& x) {
  auto& entity = call.entity ? *call.entity : call.entity.emplace();
  switch (static_cast<call_field>(x.number)) {
  case call_field::service:
    entity.service = x.text();
    break;
  case call_field::key:
    entity.key = x.text();
    break;
  case call_field::method:
    entity.method = x.text();
    break;
  case call_field::if_match:
    entity.if_match = x.text();
    break;
  case call_field::idempotency_key:
    entity.idempotency_key = x.text();
    break;
  case call_field::operation:
    entity.operation = x.one_of(entity_operation::erase);
    break;
  case call_field::lock:
    entity.locks.push_back(read_lock(x.value));
    break;
  default:
    entity.schema = x.narrow<uint32_t>();
  }
}

shard_claim& claim_of(forwarded_call& call) {
  return call.shard ? *call.shard : call.shard.emplace();
}

void read_call_field(numbered_call& to, const field& x, time_point now,
                     cluster_clock clock) {
  auto& call = to.content;
  switch (static_cast<call_field>(x.number)) {
  case call_field::number:
    to.number = x.integer();
    break;
  case call_field::id:
    call.id = x.id();
    break;
  case call_field::function:
    call.function = x.text();
    break;
  case call_field::qualifier:
    call.qualifier = x.text();
    break;
  case call_field::service:
  case call_field::key:
  case call_field::method:
  case call_field::if_match:
  case call_field::idempotency_key:
  case call_field::operation:
  case call_field::schema:
  case call_field::lock:
    read_entity_field(call, x);
    break;
  case call_field::shard:
    claim_of(call).shard = x.narrow<uint32_t>();
    break;
  case call_field::epoch:
    claim_of(call).epoch = x.integer();
    break;
  case call_field::routing_key:
    call.routing_key = x.text();
    break;
  case call_field::trace:
    call.trace = x.text();
    break;
  case call_field::remaining_ns:
    call.deadline =
      now + std::min(nanoseconds{x.narrow<int64_t>()}, remaining_max);
    break;
  case call_field::root_began_ns:
    call.root.began =
      time_point{nanoseconds{static_cast<int64_t>(x.integer())} - clock.offset};
    break;
  case call_field::root_id:
    call.root.id = x.id();
    break;
  case call_field::path:
    call.path.push_back(read_path_entry(x.value));
    break;
  case call_field::content_type:
    call.arguments.content_type = x.text();
    break;
  case call_field::arguments:
    call.arguments.bytes = x.text();
    break;
  }
}

// -- answers -------------------------------------------------------------------

void write_answer(writer& to, uint64_t number, const forwarded_answer& x) {
  to.integer(answer_field::number, number)
    .integer(answer_field::outcome, static_cast<uint64_t>(x.what));
  if (x.failure) {
    to.bytes(answer_field::error_type, x.failure->type())
      .text(answer_field::error_message, x.failure->message())
      .integer(answer_field::effect,
               static_cast<uint64_t>(x.failure->what_happened()));
    if (auto seconds = x.failure->retry_after_s())
      to.integer(answer_field::retry_after_s, seconds);
  }
  if (x.revision)
    to.integer(answer_field::revision, *x.revision);
  if (x.what == forwarded_answer::outcome::wrong_owner)
    to.text(answer_field::owner_node, x.owner.node)
      .integer(answer_field::owner_epoch, x.owner.epoch);
  to.text(answer_field::content_type, x.result.content_type);
}

/// The parts of an error, in whatever order they come.
struct error_parts {
  std::string type;
  std::string message;
  effect what = effect::unknown;
  uint32_t retry_after_s = 0;

  error whole() && {
    auto code = errc_from_string(type);
    auto result = code == errc::handler_failed
                    ? error::from_handler(std::move(type), std::move(message))
                    : error{code, std::move(message)};
    return result.with_effect(what).retry_after(retry_after_s);
  }
};

void read_answer_field(numbered_answer& to, error_parts& failure,
                       const field& x) {
  auto& answer = to.content;
  switch (static_cast<answer_field>(x.number)) {
  case answer_field::number:
    to.number = x.integer();
    break;
  case answer_field::outcome:
    answer.what = x.one_of(forwarded_answer::outcome::wrong_owner);
    break;
  case answer_field::error_type:
    failure.type = x.text();
    break;
  case answer_field::error_message:
    failure.message = x.text();
    break;
  case answer_field::effect:
    failure.what = x.one_of(effect::unknown);
    break;
  case answer_field::retry_after_s:
    failure.retry_after_s = x.narrow<uint32_t>();
    break;
  case answer_field::revision:
    answer.revision = x.integer();
    break;
  case answer_field::owner_node:
    answer.owner.node = x.text();
    break;
  case answer_field::owner_epoch:
    answer.owner.epoch = x.integer();
    break;
  case answer_field::content_type:
    answer.result.content_type = x.text();
    break;
  case answer_field::result:
    answer.result.bytes = x.text();
    break;
  }
}

template <class Write>
void append_bulk(buffer& out, uint64_t stream, uint64_t length, frame_kind kind,
                 Write write) {
  buffer inner;
  {
    writer to{inner, kind};
    write(to);
  }
  writer to{out, frame_kind::bulk};
  to.integer(bulk_field::stream, stream)
    .integer(bulk_field::payload_length, length)
    .integer(bulk_field::kind, static_cast<uint64_t>(kind))
    .bytes(bulk_field::body,
           {inner.data() + head_size, inner.size() - head_size});
}

} // namespace

// -- frames --------------------------------------------------------------------

std::optional<frame> next_frame(std::string_view& bytes) {
  if (bytes.size() < head_size)
    return std::nullopt;
  size_t length = 0;
  for (size_t i = 0; i < 4; ++i)
    length |= size_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  if (length == 0 || length > frame_length_max)
    throw wire_error{"a frame of an impossible length"};
  if (bytes.size() < 4 + length)
    return std::nullopt;
  frame result{static_cast<frame_kind>(bytes[4]),
               bytes.substr(head_size, length - 1)};
  bytes.remove_prefix(4 + length);
  return result;
}

void append_empty(buffer& out, frame_kind kind) {
  writer{out, kind};
}

// -- meeting -------------------------------------------------------------------

void append_greeting(buffer& out, frame_kind kind, const greeting& x) {
  writer to{out, kind};
  to.integer(greeting_field::version_min, x.version_min)
    .integer(greeting_field::version_max, x.version_max)
    .text(greeting_field::cluster, x.cluster)
    .text(greeting_field::from_node, x.from.node)
    .text(greeting_field::from_incarnation, x.from.incarnation)
    .text(greeting_field::to_node, x.to.node)
    .text(greeting_field::to_incarnation, x.to.incarnation)
    .integer(greeting_field::lane, static_cast<uint64_t>(x.lane))
    .integer(greeting_field::session, x.session)
    .integer(greeting_field::heartbeat_interval_ms, x.heartbeat_interval_ms)
    .integer(greeting_field::heartbeat_timeout_ms, x.heartbeat_timeout_ms);
}

greeting read_greeting(std::string_view body) {
  greeting result;
  result.version_min = result.version_max = 0;
  for_each_field(body, [&](const field& x) {
    switch (static_cast<greeting_field>(x.number)) {
    case greeting_field::version_min:
      result.version_min = x.narrow<uint32_t>();
      break;
    case greeting_field::version_max:
      result.version_max = x.narrow<uint32_t>();
      break;
    case greeting_field::cluster:
      result.cluster = x.text();
      break;
    case greeting_field::from_node:
      result.from.node = x.text();
      break;
    case greeting_field::from_incarnation:
      result.from.incarnation = x.text();
      break;
    case greeting_field::to_node:
      result.to.node = x.text();
      break;
    case greeting_field::to_incarnation:
      result.to.incarnation = x.text();
      break;
    case greeting_field::lane:
      result.lane = x.one_of(lane::bulk);
      break;
    case greeting_field::session:
      result.session = x.integer();
      break;
    case greeting_field::heartbeat_interval_ms:
      result.heartbeat_interval_ms = x.narrow<uint32_t>();
      break;
    case greeting_field::heartbeat_timeout_ms:
      result.heartbeat_timeout_ms = x.narrow<uint32_t>();
      break;
    }
  });
  return result;
}

std::optional<std::string> mismatch(const greeting& ours,
                                    const greeting& theirs) {
  auto range = [](const greeting& x) {
    return std::to_string(x.version_min) + " to "
           + std::to_string(x.version_max);
  };
  auto beat = [](const greeting& x) {
    return std::to_string(x.heartbeat_interval_ms) + "/"
           + std::to_string(x.heartbeat_timeout_ms) + " ms";
  };
  if (std::max(ours.version_min, theirs.version_min)
      > std::min(ours.version_max, theirs.version_max))
    return "no common wire version: " + range(ours) + " and " + range(theirs);
  if (ours.cluster != theirs.cluster)
    return "another cluster: '" + ours.cluster + "' and '" + theirs.cluster
           + "'";
  if (ours.heartbeat_interval_ms != theirs.heartbeat_interval_ms
      || ours.heartbeat_timeout_ms != theirs.heartbeat_timeout_ms)
    return "other heartbeats: " + beat(ours) + " and " + beat(theirs);
  return std::nullopt;
}

uint32_t agree(const greeting& ours, const greeting& theirs) {
  return std::min(ours.version_max, theirs.version_max);
}

void append_refusal(buffer& out, std::string_view why) {
  writer{out, frame_kind::refusal}.bytes(refusal_field::why, why);
}

std::string read_refusal(std::string_view body) {
  std::string result;
  for_each_field(body, [&](const field& x) {
    if (static_cast<refusal_field>(x.number) == refusal_field::why)
      result = x.text();
  });
  return result;
}

// -- calls ---------------------------------------------------------------------

uint32_t version_for(const forwarded_call& call) noexcept {
  return call.entity && !call.entity->locks.empty() ? version_with_locks : 1;
}

void append_call(buffer& out, uint64_t number, const forwarded_call& call,
                 time_point now, cluster_clock clock) {
  writer to{out, frame_kind::call};
  write_call(to, number, call, now, clock);
  to.text(call_field::arguments, call.arguments.bytes);
}

void append_answer(buffer& out, uint64_t number, const forwarded_answer& x) {
  writer to{out, frame_kind::answer};
  write_answer(to, number, x);
  to.text(answer_field::result, x.result.bytes);
}

numbered_call read_call(std::string_view body, time_point now,
                        cluster_clock clock) {
  numbered_call result;
  for_each_field(
    body, [&](const field& x) { read_call_field(result, x, now, clock); });
  return result;
}

numbered_answer read_answer(std::string_view body) {
  numbered_answer result;
  result.content.what = {};
  error_parts failure;
  for_each_field(
    body, [&](const field& x) { read_answer_field(result, failure, x); });
  if (result.content.what < forwarded_answer::outcome::done)
    throw wire_error{"an answer without an outcome"};
  if (result.content.what == forwarded_answer::outcome::failed)
    result.content.failure = std::move(failure).whole();
  return result;
}

void append_notice(buffer& out, const peer_notice& x) {
  writer{out, frame_kind::notice}
    .text(notice_field::topic, x.topic)
    .text(notice_field::body, x.body);
}

peer_notice read_notice(std::string_view body) {
  peer_notice result;
  for_each_field(body, [&](const field& x) {
    switch (static_cast<notice_field>(x.number)) {
    case notice_field::topic:
      result.topic = x.text();
      break;
    case notice_field::body:
      result.body = x.text();
      break;
    }
  });
  return result;
}

// -- large payloads ------------------------------------------------------------

void append_bulk_call(buffer& out, uint64_t stream, uint64_t number,
                      const forwarded_call& call, time_point now,
                      cluster_clock clock) {
  append_bulk(out, stream, call.arguments.bytes.size(), frame_kind::call,
              [&](writer& to) { write_call(to, number, call, now, clock); });
}

void append_bulk_answer(buffer& out, uint64_t stream, uint64_t number,
                        const forwarded_answer& x) {
  append_bulk(out, stream, x.result.bytes.size(), frame_kind::answer,
              [&](writer& to) { write_answer(to, number, x); });
}

bulk_head read_bulk(std::string_view body) {
  bulk_head result;
  for_each_field(body, [&](const field& x) {
    switch (static_cast<bulk_field>(x.number)) {
    case bulk_field::stream:
      result.stream = x.integer();
      break;
    case bulk_field::payload_length:
      result.payload_length = x.integer();
      break;
    case bulk_field::kind:
      result.kind = x.one_of(frame_kind::chunk);
      break;
    case bulk_field::body:
      result.body = x.value;
      break;
    }
  });
  if (result.kind != frame_kind::call && result.kind != frame_kind::answer)
    throw wire_error{"only calls and answers are large"};
  return result;
}

void append_chunk(buffer& out, uint64_t stream, std::string_view bytes) {
  writer to{out, frame_kind::chunk};
  append_varint(to.out(), stream);
  append_bytes(to.out(), bytes);
}

chunk read_chunk(std::string_view body) {
  auto stream = take_varint(body);
  return {stream, body};
}

} // namespace troupe::wire
