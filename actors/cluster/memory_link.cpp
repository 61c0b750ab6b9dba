#include "actors/cluster/memory_link.hpp"

#include <algorithm>
#include <vector>

#include "actors/cluster/wire.hpp"

namespace troupe {

namespace {

using outcome = forwarded_answer::outcome;

forwarded_answer without_result(outcome what) {
  forwarded_answer result;
  result.what = what;
  return result;
}

std::string_view body_of(const wire::buffer& bytes) {
  std::string_view rest{bytes.data(), bytes.size()};
  return wire::next_frame(rest)->body;
}

} // namespace

// -- one link ------------------------------------------------------------------

/// The link of one node to another. What is called a connection here is a number:
/// frames of an older one mean nothing.
class memory_network::memory_peer final : public peer_link {
public:
  memory_peer(node_links& owner, peer_endpoint where)
    : owner_(&owner), where_(std::move(where)) {}

  const peer_endpoint& where() const noexcept override { return where_; }

  bool up() const noexcept override { return up_; }

  void send(outgoing_call_ptr call, turn* together) override;

  void notify(peer_notice notice) override;

  link_stats stats() const override {
    auto result = stats_;
    result.up = up_;
    result.in_flight = static_cast<uint32_t>(under_way_.size());
    return result;
  }

  std::string failure() const override { return failure_; }

  // -- for the network -------------------------------------------------------

  void connect();
  void connected(uint64_t connection);
  void disconnected(const std::string& why, bool again);

  /// The answer of a call has arrived.
  void answered(uint64_t connection, const wire::buffer& bytes);

  /// Nothing has been heard on that connection since; it ends if it still is the
  /// one.
  void fall_silent(uint64_t connection);

  /// Its node is gone.
  void orphan() noexcept { owner_ = nullptr; }

  uint64_t connection() const noexcept { return connection_; }

private:
  friend class node_links;
  friend class memory_network;

  node_links* owner_;
  const peer_endpoint where_;
  bool up_ = false;
  bool wanted_ = true;
  bool reported_down_ = false;
  bool silent_ = false;
  uint64_t connection_ = 0;
  uint64_t next_number_ = 0;
  time_point busy_until_;
  std::map<uint64_t, outgoing_call_ptr> under_way_;
  link_stats stats_;
  std::string failure_;
};

// -- the links of one node -----------------------------------------------------

class memory_network::node_links final : public cluster_link {
public:
  node_links(memory_network& net, peer_identity self,
             std::chrono::nanoseconds skew)
    : net_(&net), self_(std::move(self)), skew_(skew) {}

  ~node_links() override { stop(std::chrono::milliseconds{0}); }

  // -- cluster_link ----------------------------------------------------------

  std::string address() const override { return self_.node; }

  void listen(link_listener& listener) override { listener_ = &listener; }

  void identify(peer_identity self) override {
    if (!net_ || self == self_)
      return;
    net_->end_links_to(self_, "the peer is another run now");
    self_ = std::move(self);
    for (auto& [node, link] : links_)
      link->disconnected("this node is another run now", true);
  }

  peer_link_ptr connect(const peer_endpoint& peer) override {
    auto& link = links_[peer.who.node];
    if (link && link->where() == peer)
      return link;
    if (link)
      let_go(*link);
    link = caf::make_counted<memory_peer>(*this, peer);
    gone_.erase(peer.who.node);
    auto added = link;
    added->connect();
    return added;
  }

  void disconnect(const peer_identity& peer) override {
    gone_[peer.node] = peer.incarnation;
    auto i = links_.find(peer.node);
    if (i != links_.end() && i->second->where().who == peer) {
      auto link = i->second;
      links_.erase(i);
      let_go(*link);
    }
    // Its own link to here ends as well.
    if (auto other = net_ ? net_->find(peer) : nullptr)
      if (auto theirs = other->link_to(self_))
        theirs->disconnected("declared dead", true);
  }

  std::vector<peer_link_ptr> links() const override {
    std::vector<peer_link_ptr> result;
    for (auto& [node, link] : links_)
      result.push_back(link);
    return result;
  }

  void accept_no_more() override {} // there is nobody else for its address

  void stop(std::chrono::milliseconds) override {
    if (auto net = std::exchange(net_, nullptr)) {
      auto i = net->nodes_.find(self_.node);
      if (i != net->nodes_.end() && i->second == this)
        net->nodes_.erase(i);
      net->end_links_to(self_, "the peer closed the connection");
    }
    for (auto& [node, link] : links_)
      let_go(*link);
    links_.clear();
  }

  // -- for the network -------------------------------------------------------

  memory_network* net() const noexcept { return net_; }

  const peer_identity& self() const noexcept { return self_; }

  link_listener* listener() const noexcept { return listener_; }

  memory_peer* link_to(const peer_identity& peer) const {
    auto i = links_.find(peer.node);
    return i != links_.end() && i->second->where().who == peer ? i->second.get()
                                                               : nullptr;
  }

  bool refuses(const peer_identity& peer) const {
    auto i = gone_.find(peer.node);
    return i != gone_.end() && i->second == peer.incarnation;
  }

  /// Its own clock, and how it differs from the cluster's.
  time_point now() const { return net_->now_ + skew_; }
  wire::cluster_clock time() const { return {-skew_}; }

  /// The process is gone: it hears and says nothing any more.
  void die() noexcept {
    net_ = nullptr;
    listener_ = nullptr;
    for (auto& [node, link] : links_)
      link->orphan();
  }

private:
  static void let_go(memory_peer& link) {
    link.wanted_ = false;
    link.disconnected("not wanted any more", false);
    link.orphan();
  }

  memory_network* net_;
  peer_identity self_;
  const std::chrono::nanoseconds skew_;
  link_listener* listener_ = nullptr;
  std::map<std::string, caf::intrusive_ptr<memory_peer>> links_;
  std::map<std::string, std::string> gone_;
};

/// A call that came in, and the way back.
class memory_network::memory_call final : public incoming_call {
public:
  memory_call(memory_network& net, caf::intrusive_ptr<memory_peer> by,
              peer_identity self, uint64_t connection, wire::numbered_call x)
    : net_(&net), by_(std::move(by)), self_(std::move(self)),
      connection_(connection), number_(x.number) {
    content = std::move(x.content);
  }

  ~memory_call() override {
    if (by_)
      answer(unanswered());
  }

  void answer(forwarded_answer x) noexcept override {
    auto by = std::exchange(by_, nullptr);
    auto& net = *net_;
    // A dead process answers nobody.
    if (!by || !net.find(self_) || by->connection() != connection_)
      return;
    auto bytes = std::make_shared<wire::buffer>();
    wire::append_answer(*bytes, number_, x);
    net.carry(self_.node, from.node, *by, connection_,
              [by, bytes, connection = connection_] {
                by->answered(connection, *bytes);
              });
  }

private:
  memory_network* net_;
  caf::intrusive_ptr<memory_peer> by_;
  const peer_identity self_;
  uint64_t connection_;
  uint64_t number_;
};

// -- memory_peer ---------------------------------------------------------------

void memory_network::memory_peer::send(outgoing_call_ptr call, turn*) {
  if (!up_ || !owner_ || !owner_->net()) {
    call->answered(without_result(outcome::unsent), nullptr);
    return;
  }
  auto& net = *owner_->net();
  if (under_way_.size() >= net.options_.in_flight_max) {
    ++stats_.refused;
    auto full = without_result(outcome::failed);
    full.failure = error{errc::too_many_requests,
                         "too many calls are under way to " + where_.who.node}
                     .retry_after(1);
    call->answered(std::move(full), nullptr);
    return;
  }
  if (!call->leave())
    return;
  ++stats_.calls;
  auto number = ++next_number_;
  auto bytes = std::make_shared<wire::buffer>();
  wire::append_call(*bytes, number, call->content, owner_->now(),
                    owner_->time());
  under_way_[number] = std::move(call);
  auto from = owner_->self();
  net.carry(from.node, where_.who.node, *this, connection_,
            [self = caf::intrusive_ptr<memory_peer>{this}, &net, from, bytes,
             connection = connection_] {
              // Whether the link has ended meanwhile or not: a process that
              // stood still finds in its socket what was sent before.
              auto to = net.find(self->where_.who);
              if (!to || !to->listener())
                return;
              auto incoming = caf::make_counted<memory_call>(
                net, self, to->self(), connection,
                wire::read_call(body_of(*bytes), to->now(), to->time()));
              incoming->from = from;
              to->listener()->received({std::move(incoming)});
            });
}

void memory_network::memory_peer::notify(peer_notice notice) {
  if (!up_ || !owner_ || !owner_->net())
    return;
  auto& net = *owner_->net();
  auto bytes = std::make_shared<wire::buffer>();
  wire::append_notice(*bytes, notice);
  auto from = owner_->self();
  net.carry(from.node, where_.who.node, *this, connection_,
            [self = caf::intrusive_ptr<memory_peer>{this}, &net, from, bytes,
             connection = connection_] {
              auto to = net.find(self->where_.who);
              if (to && to->listener() && self->connection_ == connection)
                to->listener()->noticed(from,
                                        wire::read_notice(body_of(*bytes)));
            });
}

void memory_network::memory_peer::answered(uint64_t connection,
                                           const wire::buffer& bytes) {
  if (connection != connection_ || !owner_)
    return;
  auto x = wire::read_answer(body_of(bytes));
  auto node = under_way_.extract(x.number);
  if (node)
    node.mapped()->answered(std::move(x.content), nullptr);
}

void memory_network::memory_peer::connect() {
  if (!owner_ || !owner_->net() || !wanted_)
    return;
  auto& net = *owner_->net();
  auto connection = ++connection_;
  silent_ = false;
  auto self = caf::intrusive_ptr<memory_peer>{this};
  auto here = owner_->self().node;
  auto& there = where_.who.node;
  auto greet = [self, connection, &net] {
    if (self->connection_ != connection || !self->owner_)
      return;
    auto to = net.find(self->where_.who);
    if (!to || !to->listener())
      self->disconnected("nobody is there", true);
    else if (to->refuses(self->owner_->self()))
      self->disconnected("it refuses: declared dead", true);
    else
      self->connected(connection);
  };
  if (net.goes_through(here, there) && net.goes_through(there, here)) {
    net.after(2 * net.draw_delay(), greet);
    return;
  }
  // No answer: the attempt ends by its time limit, ...
  net.after(net.options_.heartbeat_timeout, [self, connection] {
    if (self->connection_ == connection)
      self->disconnected("it does not answer", true);
  });
  // ... unless a peer that stands still wakes before that, and finds it.
  if (net.paused_.count(there) && !net.parted_.count({here, there}))
    net.held_[there].push_back(greet);
}

void memory_network::memory_peer::connected(uint64_t) {
  up_ = true;
  failure_.clear();
  reported_down_ = false;
  ++stats_.connects;
  busy_until_ = owner_->net()->now_;
  if (auto listener = owner_->listener())
    listener->peer_up(where_.who);
}

void memory_network::memory_peer::disconnected(const std::string& why,
                                               bool again) {
  up_ = false;
  failure_ = why;
  ++connection_;
  auto calls = std::exchange(under_way_, {});
  stats_.lost += calls.size();
  for (auto& [number, call] : calls)
    call->answered(without_result(outcome::lost), nullptr);
  if (!again || !owner_ || !owner_->net())
    return;
  if (!std::exchange(reported_down_, true) && owner_->listener())
    owner_->listener()->peer_down(where_.who, why);
  if (!owner_ || !owner_->net() || !wanted_)
    return;
  auto& net = *owner_->net();
  net.after(
    net.options_.reconnect,
    [self = caf::intrusive_ptr<memory_peer>{this}, connection = connection_] {
      if (self->connection_ == connection)
        self->connect();
    });
}

void memory_network::memory_peer::fall_silent(uint64_t connection) {
  if (connection != connection_ || !owner_ || !owner_->net()
      || std::exchange(silent_, true))
    return;
  auto& net = *owner_->net();
  net.after(net.options_.heartbeat_timeout,
            [self = caf::intrusive_ptr<memory_peer>{this}, connection] {
              if (self->connection_ == connection)
                self->disconnected("no sign of life", true);
            });
}

// -- memory_network ------------------------------------------------------------

memory_network::memory_network(time_point start, uint64_t seed,
                               memory_network_options options)
  : options_(options), random_(seed), now_(start) {}

memory_network::~memory_network() {
  events_.clear();
  for (auto& [node, links] : nodes_)
    links->die();
}

std::unique_ptr<cluster_link>
memory_network::join(peer_identity self, std::chrono::nanoseconds skew) {
  kill(self.node); // another run of it, if there was one
  auto result = std::make_unique<node_links>(*this, self, skew);
  nodes_[self.node] = result.get();
  return result;
}

memory_network::node_links* memory_network::find(const peer_identity& who) {
  auto i = nodes_.find(who.node);
  return i != nodes_.end() && i->second->self() == who ? i->second : nullptr;
}

void memory_network::part(const std::string& from, const std::string& to) {
  parted_.emplace(from, to);
  silence(from, to);
}

void memory_network::part_both(const std::string& x, const std::string& y) {
  part(x, y);
  part(y, x);
}

void memory_network::heal() {
  parted_.clear();
}

void memory_network::silence(const std::string& x, const std::string& y) {
  for (auto& [node, links] : nodes_)
    for (auto& link : links->links()) {
      auto& other = link->where().who.node;
      if ((node == x && other == y) || (node == y && other == x)) {
        auto& peer = static_cast<memory_peer&>(*link);
        if (peer.up())
          peer.fall_silent(peer.connection());
      }
    }
}

void memory_network::kill(const std::string& node) {
  auto i = nodes_.find(node);
  if (i == nodes_.end())
    return;
  auto& dead = *i->second;
  auto who = dead.self();
  nodes_.erase(i);
  paused_.erase(node);
  held_.erase(node);
  dead.die();
  end_links_to(who, "the peer closed the connection");
}

void memory_network::end_links_to(const peer_identity& who,
                                  const std::string& why) {
  std::vector<caf::intrusive_ptr<memory_peer>> theirs;
  for (auto& [node, links] : nodes_)
    if (auto link = links->link_to(who); link && link->up())
      theirs.emplace_back(link);
  for (auto& link : theirs)
    after(draw_delay(), [link, why, connection = link->connection()] {
      if (link->connection() == connection)
        link->disconnected(why, true);
    });
}

void memory_network::pause(const std::string& node) {
  paused_.insert(node);
  for (auto& [other, links] : nodes_)
    silence(node, other);
}

void memory_network::resume(const std::string& node) {
  paused_.erase(node);
  auto held = std::move(held_[node]);
  held_.erase(node);
  for (auto& what : held)
    after({}, std::move(what));
}

void memory_network::after(std::chrono::nanoseconds delay,
                           std::function<void()> what) {
  events_.emplace(std::pair{now_ + delay, next_event_++}, std::move(what));
}

std::chrono::nanoseconds memory_network::draw_delay() {
  std::uniform_int_distribution<int64_t> any{options_.delay_min.count(),
                                             options_.delay_max.count()};
  return std::chrono::nanoseconds{any(random_)};
}

bool memory_network::goes_through(const std::string& from,
                                  const std::string& to) {
  return !parted_.count({from, to}) && !paused_.count(to)
         && !paused_.count(from);
}

void memory_network::carry(const std::string& from, const std::string& to,
                           memory_peer& by, uint64_t connection,
                           std::function<void()> arrive) {
  auto dice = std::uniform_real_distribution<double>{0, 1}(random_);
  if (by.silent_ || parted_.count({from, to}) || dice < options_.loss) {
    ++lost_;
    // What comes after a gap does not arrive either.
    by.fall_silent(connection);
    return;
  }
  // In the order in which it was sent.
  auto when = std::max(by.busy_until_, now_ + draw_delay());
  by.busy_until_ = when;
  after(when - now_, [this, to, arrive = std::move(arrive)]() mutable {
    if (paused_.count(to)) {
      held_[to].push_back(std::move(arrive));
      return;
    }
    ++delivered_;
    arrive();
  });
}

std::optional<time_point> memory_network::next() const {
  if (events_.empty())
    return std::nullopt;
  return events_.begin()->first.first;
}

void memory_network::advance(time_point to) {
  while (!events_.empty() && events_.begin()->first.first <= to) {
    auto event = events_.extract(events_.begin());
    now_ = std::max(now_, event.key().first);
    event.mapped()();
  }
  now_ = std::max(now_, to);
}

} // namespace troupe
