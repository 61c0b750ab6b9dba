#include "nodes/link/link_broker.hpp"

#include <algorithm>
#include <csignal>
#include <thread>
#include <utility>

#include <sys/socket.h>

#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>

#include "actors/core/atoms.hpp"
#include "nodes/link/socket_scribe.hpp"

namespace troupe::link {

namespace {

using caf::io::connection_handle;
using caf::io::receive_policy;

/// Bytes of one read. What is larger only takes longer to be cleared.
constexpr size_t small_read = 16 * 1024;
constexpr size_t large_read = 128 * 1024;

/// What one peer may have under way of large payloads, with some margin above
/// what it allows itself.
constexpr uint64_t streams_length_factor = 2;

/// A payload that says that it is longer is none. (Sums of it do not overflow.)
constexpr uint64_t payload_length_max = uint64_t{1} << 40;

/// More are strangers: no cluster is that large.
constexpr size_t connections_max = 16 * 1024;

/// Large payloads keep this thread busy for as long as they come; those who run
/// small calls on the same core do not wait for the end of its time slice.
void give_way() {
  std::this_thread::yield();
}

caf::io::network::default_multiplexer& loop_of(caf::io::middleman& owner) {
  return dynamic_cast<caf::io::network::default_multiplexer&>(owner.backend());
}

} // namespace

/// A call that came in, and the way back.
class link_broker::session_call final : public incoming_call {
public:
  session_call(session_ptr by, wire::numbered_call call)
    : by_(std::move(by)), number_(call.number) {
    content = std::move(call.content);
    from = by_->peer();
  }

  ~session_call() override {
    // It got lost before anybody took it on.
    if (by_)
      answer(unanswered());
  }

  void answer(forwarded_answer x) noexcept override {
    if (auto by = std::exchange(by_, nullptr))
      by->answer(number_, std::move(x));
  }

private:
  session_ptr by_;
  uint64_t number_;
};

link_broker::link_broker(caf::actor_config& cfg, environment& env)
  : caf::io::broker(cfg), env_(env), options_(env.around.options),
    self_(options_.self), backoff_(options_.reconnect),
    random_(std::random_device{}()), ticked_(clock::now()) {}

caf::behavior link_broker::make_behavior() {
  // A TLS connection that breaks while it is written to raises it.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  delayed_send(this, options_.heartbeat_interval, atom::tick::value);
  return {
    [this](caf::io::new_data_msg& x) { data(x); },
    [this](const caf::io::connection_closed_msg& x) { closed(x.handle); },
    [this](const caf::io::data_transferred_msg& x) {
      if (x.remaining == 0)
        written(x.handle);
    },
    [this](const flush_request& x) { flush_session(x.who); },
    [this](const dialed& x) { dial_done(*x.result); },
    [this](const identity& x) { identify(x.self); },
    [this](const link_wanted& x) { want(x.link); },
    [this](const link_unwanted& x) { unwant(x.peer); },
    [this](const retry_due& x) { retry(x); },
    [this](atom::tick) { tick(); },
    [this](const closing& x) { begin_to_close(x.time); },
    [this](atom::late) { close_now(); },
  };
}

void link_broker::on_exit() {
  for (auto& [node, link] : links_)
    link->broken();
  for (auto& [key, x] : sessions_)
    x.who->close();
  sessions_.clear();
  connections_.clear();
  attempts_.clear();
  links_.clear();
  env_.ended.set_value();
}

// -- links ---------------------------------------------------------------------

void link_broker::identify(const peer_identity& self) {
  if (self == self_)
    return;
  self_ = self;
  // All have met somebody else.
  std::vector<connection_handle> all;
  for (auto& [handle, x] : connections_)
    all.push_back(handle);
  for (auto& x : all)
    drop(x, "this node is another run now");
}

void link_broker::want(const outbound_link_ptr& link) {
  auto& slot = links_[link->where().who.node];
  if (slot)
    unwant(slot->where().who);
  links_[link->where().who.node] = link;
  // It is back, whatever was said of earlier runs.
  auto i = gone_.find(link->where().who.node);
  if (i != gone_.end() && i->second == link->where().who.incarnation)
    gone_.erase(i);
  dial(link, wire::lane::calls);
}

void link_broker::unwant(const peer_identity& peer) {
  gone_[peer.node] = peer.incarnation;
  auto i = links_.find(peer.node);
  if (i != links_.end() && i->second->where().who == peer) {
    auto link = i->second;
    links_.erase(i);
    link->state.wanted = false;
  }
  std::vector<session_ptr> theirs;
  for (auto& [key, x] : sessions_)
    if (x.who->peer() == peer)
      theirs.push_back(x.who);
  for (auto& x : theirs)
    end_session(x);
}

void link_broker::failed(const outbound_link_ptr& link,
                         const std::string& why) {
  auto& state = link->state;
  // What is still under way for it comes too late.
  state.round = ++next_round_;
  if (auto with = std::exchange(state.joining, nullptr))
    end_session(with);
  link->failed(why);
  if (!std::exchange(state.reported_down, true) && env_.listener)
    env_.listener->peer_down(link->where().who, why);
  if (!state.wanted || closing_)
    return;
  state.waiting = true;
  auto delay = backoff_.delay(state.failures++, random_);
  delayed_send(this, delay, retry_due{link, state.round});
}

void link_broker::retry_now(const peer_identity& peer) {
  auto i = links_.find(peer.node);
  if (i != links_.end() && i->second->where().who == peer
      && i->second->state.waiting)
    dial(i->second, wire::lane::calls);
}

void link_broker::retry(const retry_due& x) {
  if (x.link->state.wanted && x.link->state.round == x.round && !closing_)
    dial(x.link, wire::lane::calls);
}

void link_broker::dial(const outbound_link_ptr& link, wire::lane lane) {
  link->state.waiting = false;
  if (lane == wire::lane::calls)
    link->state.round = ++next_round_;
  auto number = ++next_attempt_;
  attempts_[number] = {link, lane, link->state.round};
  env_.doors->dial(number, link->where().address);
}

void link_broker::dial_done(dial_result& x) {
  if (closing_)
    return;
  if (x.attempt == 0) {
    if (x.socket.fd)
      adopt(x, {});
    else
      tell_of_stranger(x.from, x.failure);
    return;
  }
  auto i = attempts_.find(x.attempt);
  if (i == attempts_.end())
    return;
  auto why = i->second;
  attempts_.erase(i);
  if (!why.link->state.wanted || why.link->state.round != why.round)
    return;
  if (!x.socket.fd)
    failed(why.link, x.failure);
  else
    adopt(x, why);
}

// -- connections ---------------------------------------------------------------

void link_broker::adopt(dial_result& x, const attempt& why) {
  if (connections_.size() >= connections_max)
    return;
  connection c;
  c.fd = x.socket.fd.get();
  c.tls = std::move(x.socket.tls);
  c.since = c.heard = clock::now();
  c.from = std::move(x.from);
  c.link = why.link;
  c.lane = why.lane;
  c.round = why.round;
  auto scribe =
    make_scribe(loop_of(system().middleman()), std::move(x.socket.fd), c.tls);
  c.handle = scribe->hdl();
  add_scribe(std::move(scribe));
  auto& added = connections_[c.handle] = std::move(c);
  if (added.link)
    say_hello(added);
  configure_read(added.handle, receive_policy::at_most(small_read));
}

link_broker::connection* link_broker::find(connection_handle handle) {
  auto i = connections_.find(handle);
  return i != connections_.end() ? &i->second : nullptr;
}

void link_broker::closed(connection_handle handle) {
  auto x = find(handle);
  if (!x)
    return;
  std::string why = "the peer closed the connection";
  if (x->tls && !x->tls->failure().empty())
    why = x->tls->failure();
  auto other = partner(*x);
  if (!other || other->ending) {
    drop(handle, why);
    end_if_closed();
    return;
  }
  if (other->link)
    other->link->ending();
  other->with->seal();
  other->ending = true;
  other->since = clock::now();
  ::shutdown(other->fd, SHUT_WR);
  // Its handle may soon be somebody else's.
  auto& lanes = sessions_.at(x->with.get());
  (x->lane == wire::lane::calls ? lanes.calls : lanes.bulk) = {};
  connections_.erase(handle);
}

link_broker::connection* link_broker::partner(const connection& x) {
  auto i = sessions_.find(x.with.get());
  if (!x.open || i == sessions_.end())
    return nullptr;
  return find(x.lane == wire::lane::calls ? i->second.bulk : i->second.calls);
}

void link_broker::drop(connection_handle handle, const std::string& why) {
  auto i = connections_.find(handle);
  if (i == connections_.end())
    return;
  auto gone = std::move(i->second);
  connections_.erase(i);
  abort(gone);
  if (gone.with)
    end_session(gone.with);
  if (gone.link && gone.link->state.round == gone.round && !closing_)
    failed(gone.link, why);
}

void link_broker::abort(connection& x) {
  // CAF would keep it until all is written, and a peer that hangs reads nothing.
  if (!valid(x.handle))
    return;
  ::shutdown(x.fd, SHUT_RDWR);
  close(x.handle);
}

void link_broker::end_session(const session_ptr& who) {
  auto i = sessions_.find(who.get());
  if (i == sessions_.end())
    return;
  auto ended = std::move(i->second);
  sessions_.erase(i);
  for (auto handle : {ended.calls, ended.bulk})
    if (auto x = find(handle)) {
      auto gone = std::move(*x);
      connections_.erase(handle);
      abort(gone);
    }
  if (ended.link)
    ended.link->broken();
  ended.who->close();
}

// -- greeting ------------------------------------------------------------------

wire::greeting link_broker::own_greeting() const {
  wire::greeting result;
  result.version_min = options_.version_min;
  result.version_max = options_.version_max;
  result.cluster = options_.cluster;
  result.from = self_;
  result.heartbeat_interval_ms =
    static_cast<uint32_t>(options_.heartbeat_interval.count());
  result.heartbeat_timeout_ms =
    static_cast<uint32_t>(options_.heartbeat_timeout.count());
  return result;
}

void link_broker::say_hello(connection& x) {
  auto hello = own_greeting();
  hello.to = x.link->where().who;
  hello.lane = x.lane;
  if (x.lane == wire::lane::calls)
    x.with = caf::make_counted<session>(env_.around, caf::actor{this},
                                        x.link->where().who, random_());
  else
    x.with = x.link->state.joining;
  hello.session = x.with->number();
  wire::append_greeting(wr_buf(x.handle), wire::frame_kind::hello, hello);
  flush(x.handle);
}

std::optional<std::string>
link_broker::objection(const wire::greeting& theirs) const {
  if (auto why = wire::mismatch(own_greeting(), theirs))
    return why;
  if (theirs.to != self_)
    return "this is " + to_string(self_) + ", not " + to_string(theirs.to);
  auto i = gone_.find(theirs.from.node);
  if (i != gone_.end() && i->second == theirs.from.incarnation)
    return to_string(theirs.from) + " was declared dead";
  return std::nullopt;
}

void link_broker::hear_hello(connection& x, const wire::greeting& theirs) {
  // Whoever asks for another run only has old news.
  if (auto why = wire::mismatch(own_greeting(), theirs))
    tell_of_stranger(x.from, *why);
  if (auto why = objection(theirs))
    return refuse(x, *why);
  x.lane = theirs.lane;
  x.wire_version = wire::agree(own_greeting(), theirs);
  session_ptr with;
  for (auto& [key, y] : sessions_)
    if (y.who->number() == theirs.session && y.who->peer() == theirs.from)
      with = y.who;
  if (x.lane == wire::lane::calls) {
    if (with)
      return refuse(x, "this session is there already");
    with = caf::make_counted<session>(env_.around, caf::actor{this},
                                      theirs.from, theirs.session);
  } else if (!with) {
    return refuse(x, "there is no such session");
  }
  auto welcome = own_greeting();
  welcome.to = theirs.from;
  welcome.lane = x.lane;
  welcome.session = theirs.session;
  wire::append_greeting(wr_buf(x.handle), wire::frame_kind::welcome, welcome);
  join(x, std::move(with));
  retry_now(theirs.from); // whoever comes is there
}

void link_broker::hear_welcome(connection& x, const wire::greeting& theirs) {
  auto& wanted = x.link->where().who;
  auto why = wire::mismatch(own_greeting(), theirs);
  if (!why && theirs.from != wanted)
    why = "this is " + to_string(theirs.from) + ", not " + to_string(wanted);
  if (!x.link->state.wanted || x.link->state.round != x.round)
    why = "it is not wanted any more";
  if (why) {
    drop(x.handle, *why);
    return;
  }
  auto link = x.link;
  auto with = x.with;
  x.wire_version = wire::agree(own_greeting(), theirs);
  join(x, with);
  if (x.lane == wire::lane::calls) {
    link->state.joining = with;
    dial(link, wire::lane::bulk);
    return;
  }
  link->state.joining = nullptr;
  link->state.failures = 0;
  link->state.reported_down = false;
  link->established(with, x.wire_version);
  if (env_.listener)
    env_.listener->peer_up(wanted);
}

void link_broker::join(connection& x, session_ptr with) {
  x.open = true;
  auto& handles = sessions_[with.get()];
  handles.who = with;
  handles.link = x.link;
  if (x.lane == wire::lane::calls) {
    handles.calls = x.handle;
  } else {
    handles.bulk = x.handle;
    ack_writes(x.handle, true);
    configure_read(x.handle, receive_policy::at_most(large_read));
  }
  x.with = std::move(with);
  flush(x.handle);
}

void link_broker::refuse(connection& x, const std::string& why) {
  wire::append_refusal(wr_buf(x.handle), why);
  flush(x.handle);
  // It is written before the connection ends; who does not read it is dropped
  // with those that never greet.
  close(x.handle);
  connections_.erase(x.handle);
}

void link_broker::tell_of_stranger(const std::string& from,
                                   std::string_view why) {
  if (env_.listener)
    env_.listener->refused(from, why);
}

// -- frames --------------------------------------------------------------------

void link_broker::data(caf::io::new_data_msg& msg) {
  auto x = find(msg.handle);
  if (!x)
    return;
  x->heard = clock::now();
  std::string_view bytes{msg.buf.data(), msg.buf.size()};
  std::string joined;
  if (!x->rest.empty()) {
    joined = std::move(x->rest);
    joined.append(bytes);
    bytes = joined;
  }
  arrivals what;
  try {
    read(*x, bytes, what);
  } catch (const wire::wire_error& e) {
    // What came before it counts.
    deliver(*x, what);
    auto why = std::string{"not a node: "} + e.what();
    if (!x->open && !x->link)
      tell_of_stranger(x->from, why + "; does it have TLS, and this one none?");
    drop(msg.handle, why);
    return;
  } catch (const std::exception& e) {
    // No memory, for one: that ends this connection, and not all of them.
    drop(msg.handle, std::string{"what it says cannot be read: "} + e.what());
    return;
  }
  // It may have been refused meanwhile.
  x = find(msg.handle);
  if (!x)
    return;
  if (bytes.data() == joined.data())
    x->rest = std::move(joined);
  else
    x->rest.assign(bytes);
  auto large = x->lane == wire::lane::bulk;
  auto with = x->with;
  deliver(*x, what);
  end_if_idle(with);
  if (large)
    give_way();
}

void link_broker::read(connection& x, std::string_view& bytes, arrivals& to) {
  auto handle = x.handle;
  while (auto f = wire::next_frame(bytes)) {
    if (x.open)
      read_frame(x, *f, to);
    else
      greet(x, *f);
    if (!find(handle))
      return;
  }
}

void link_broker::greet(connection& x, const wire::frame& f) {
  switch (f.kind) {
  case wire::frame_kind::hello:
    if (!x.link)
      return hear_hello(x, wire::read_greeting(f.body));
    break;
  case wire::frame_kind::welcome:
    if (x.link)
      return hear_welcome(x, wire::read_greeting(f.body));
    break;
  case wire::frame_kind::refusal:
    if (x.link)
      return drop(x.handle, "it refuses: " + wire::read_refusal(f.body));
    break;
  default:
    break;
  }
  throw wire::wire_error{"it does not greet"};
}

void link_broker::read_frame(connection& x, const wire::frame& f,
                             arrivals& to) {
  switch (f.kind) {
  case wire::frame_kind::call:
    arrived(x,
            wire::read_call(f.body, env_.around.clock.now(), env_.around.time),
            to);
    break;
  case wire::frame_kind::answer:
    to.answers.push_back(wire::read_answer(f.body));
    break;
  case wire::frame_kind::notice:
    if (env_.listener)
      env_.listener->noticed(x.with->peer(), wire::read_notice(f.body));
    break;
  case wire::frame_kind::bulk:
    begin_stream(x, f.body);
    break;
  case wire::frame_kind::chunk:
    continue_stream(x, f.body, to);
    break;
  case wire::frame_kind::farewell:
    if (x.link)
      let_end(x.with);
    break;
  default:
    break; // heartbeats, and what newer nodes say
  }
}

void link_broker::arrived(connection& x, wire::numbered_call call,
                          arrivals& to) {
  if (wire::version_for(call.content) > x.wire_version)
    throw wire::wire_error{"a call in a newer version than was agreed on"};
  to.calls.push_back(caf::make_counted<session_call>(x.with, std::move(call)));
}

void link_broker::begin_stream(connection& x, std::string_view body) {
  auto head = wire::read_bulk(body);
  if (head.payload_length > payload_length_max)
    throw wire::wire_error{"a payload of an impossible length"};
  if (x.streams.contains(head.stream))
    throw wire::wire_error{"a payload that has begun already"};
  auto most = streams_length_factor * options_.bytes_in_flight_max;
  if (!x.streams.empty() && x.streams_length + head.payload_length > most)
    throw wire::wire_error{"too many large payloads at once"};
  x.streams_length += head.payload_length;
  auto& stream = x.streams[head.stream];
  stream.kind = head.kind;
  stream.length = head.payload_length;
  if (head.kind == wire::frame_kind::call)
    stream.call =
      wire::read_call(head.body, env_.around.clock.now(), env_.around.time);
  else
    stream.answer = wire::read_answer(head.body);
  // The rest of what it says gets its memory when it comes.
  stream.bytes().reserve(
    std::min(head.payload_length, options_.bytes_in_flight_max));
}

void link_broker::continue_stream(connection& x, std::string_view body,
                                  arrivals& to) {
  auto piece = wire::read_chunk(body);
  auto i = x.streams.find(piece.stream);
  if (i == x.streams.end())
    throw wire::wire_error{"a piece of nothing"};
  auto& stream = i->second;
  auto& bytes = stream.bytes();
  if (piece.bytes.size() > stream.length - bytes.size())
    throw wire::wire_error{"more than was said"};
  bytes.append(piece.bytes);
  if (bytes.size() < stream.length)
    return;
  x.streams_length -= stream.length;
  auto whole = std::move(stream);
  x.streams.erase(i);
  if (whole.kind == wire::frame_kind::call)
    arrived(x, std::move(whole.call), to);
  else
    to.answers.push_back(std::move(whole.answer));
}

void link_broker::deliver(connection& x, arrivals& what) {
  if (!what.calls.empty() && env_.listener)
    env_.listener->received(std::move(what.calls));
  if (what.answers.empty())
    return;
  auto calls = x.with->take_answered(what.answers);
  for (size_t i = 0; i < calls.size(); ++i)
    if (calls[i])
      calls[i]->answered(std::move(what.answers[i].content), nullptr);
}

void link_broker::flush_session(const session_ptr& who) {
  auto i = sessions_.find(who.get());
  if (i == sessions_.end())
    return;
  auto& handles = i->second;
  if (find(handles.calls)) {
    who->take_small(wr_buf(handles.calls));
    flush(handles.calls);
  }
  if (auto bulk = find(handles.bulk))
    write_chunk(*bulk);
}

void link_broker::written(connection_handle handle) {
  auto x = find(handle);
  if (!x)
    return;
  x->writing = false;
  write_chunk(*x);
}

void link_broker::write_chunk(connection& x) {
  if (x.writing || x.lane != wire::lane::bulk || !x.with)
    return;
  if (x.with->take_chunk(wr_buf(x.handle))) {
    x.writing = true;
    flush(x.handle);
    give_way();
  }
}

// -- time ----------------------------------------------------------------------

void link_broker::tick() {
  delayed_send(this, options_.heartbeat_interval, atom::tick::value);
  auto now = clock::now();
  auto slept = now - ticked_ > options_.heartbeat_timeout / 2;
  ticked_ = now;
  std::vector<std::pair<connection_handle, std::string>> over;
  for (auto& [handle, x] : connections_) {
    // A node that did not run itself cannot say that the others were silent.
    if (slept)
      x.heard = now;
    if (!x.open && now - x.since > options_.connect_timeout)
      over.emplace_back(handle, "it does not greet");
    else if (x.ending && now - x.since > options_.connect_timeout)
      over.emplace_back(handle, "it does not end");
    else if (x.open && x.lane == wire::lane::calls
             && now - x.heard > options_.heartbeat_timeout)
      over.emplace_back(handle, "no sign of life");
    else
      beat(x);
  }
  for (auto& [handle, why] : over) {
    // It may have ended with the one before.
    auto x = find(handle);
    if (x && !x->open && !x->link)
      tell_of_stranger(x->from, why);
    drop(handle, why);
  }
}

void link_broker::beat(connection& x) {
  if (!x.open || x.lane != wire::lane::calls)
    return;
  wire::append_empty(wr_buf(x.handle), wire::frame_kind::heartbeat);
  flush(x.handle);
}

void link_broker::begin_to_close(std::chrono::milliseconds time) {
  closing_ = true;
  delayed_send(this, time, atom::late::value);
  std::vector<session_ptr> own;
  for (auto& [key, x] : sessions_) {
    flush_session(x.who);
    if (x.link) {
      own.push_back(x.who);
    } else if (find(x.calls)) {
      // Its peer closes it when all is answered.
      wire::append_empty(wr_buf(x.calls), wire::frame_kind::farewell);
      flush(x.calls);
    }
  }
  for (auto& x : own) {
    let_end(x);
    end_if_idle(x);
  }
  std::vector<connection_handle> strangers;
  for (auto& [handle, x] : connections_)
    if (!x.open)
      strangers.push_back(handle);
  for (auto& x : strangers)
    drop(x, "this node leaves");
  end_if_closed();
}

void link_broker::let_end(const session_ptr& with) {
  auto i = sessions_.find(with.get());
  if (i == sessions_.end())
    return;
  i->second.ending = true;
  i->second.link->ending();
  with->seal();
}

void link_broker::end_if_idle(const session_ptr& with) {
  auto i = sessions_.find(with.get());
  if (i == sessions_.end() || !i->second.ending || with->in_flight() > 0)
    return;
  auto& handles = i->second;
  drop(find(handles.calls) ? handles.calls : handles.bulk, "the nodes part");
  end_if_closed();
}

void link_broker::close_now() {
  for (auto& [handle, x] : connections_)
    abort(x);
  connections_.clear();
  quit();
}

void link_broker::end_if_closed() {
  if (closing_ && connections_.empty())
    quit();
}

} // namespace troupe::link
