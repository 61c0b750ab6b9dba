#include "actors/cluster/membership.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

#include <caf/actor_system.hpp>
#include <caf/response_promise.hpp>
#include <caf/send.hpp>

#include "actors/core/atoms.hpp"
#include "actors/core/errors.hpp"
#include "actors/core/random_name.hpp"
#include "actors/core/wire_version.hpp"

namespace troupe {

namespace {

/// Between the moment when a peer may be dead and the look that tells.
constexpr std::chrono::nanoseconds verdict_slack = std::chrono::milliseconds{1};

bool is_alive(const lease_row& x) noexcept {
  return x.state != node_state::down;
}

bool comes_before(const lease_row& x, const std::string& incarnation) {
  return x.incarnation < incarnation;
}

/// @pre `rows` are in the order of their incarnations
const lease_row* find_in(const std::vector<lease_row>& rows,
                         const std::string& incarnation) {
  auto i =
    std::lower_bound(rows.begin(), rows.end(), incarnation, comes_before);
  return i != rows.end() && i->incarnation == incarnation ? &*i : nullptr;
}

} // namespace

void membership_options::validate(std::chrono::nanoseconds lease) const {
  auto why = watch.dead_after <= lease
               ? "a peer must not be declared dead before its lease is over"
             : renew_every >= watch.gap_max
               ? "leases must be renewed more often than the watch has gaps"
             : self.node.empty() ? "a node of a cluster needs an id"
                                 : nullptr;
  if (why)
    throw error_exception{error{errc::bad_request, why}};
}

membership_actor::membership_actor(caf::actor_config& cfg,
                                   membership_options options,
                                   cluster_state& state, lease_table& leases,
                                   shard_table& shards)
  : caf::event_based_actor(cfg), options_(std::move(options)), state_(state),
    leases_(leases), shards_(shards), watch_(options_.watch),
    namesakes_(options_.renewals_max), book_(state.owned.count()) {
  book_.on_change = [this](uint32_t shard, uint64_t epoch) {
    auto& x = book_[shard];
    if (x.leaving && !x.unsettled && book_.is_mine(shard))
      state_.owned.set_leaving(shard, x.epoch);
    else
      state_.owned.set(shard, epoch);
  };
}

caf::behavior membership_actor::make_behavior() {
  state_.owned.on_doubt([self = caf::actor_cast<caf::actor_addr>(this)] {
    if (auto strong = caf::actor_cast<caf::actor>(self))
      caf::anon_send(strong, atom::refresh::value);
  });
  join();
  return {
    [this](lease_renewed& x) { take(x); },
    [this](node_declared& x) { take(x); },
    [this](node_left& x) { take(x); },
    [this](shards_read& x) { take(x); },
    [this](shards_moved& x) { take(x); },
    [this](shards_vacated& x) { vacated(x.handover); },
    [this](atom::late, uint64_t handover) { too_late(handover); },
    [this](atom::tick, uint64_t timer) {
      if (timer == timer_)
        tick();
    },
    [this](atom::wake) {
      renew();
      read();
    },
    [this](atom::refresh) { return refresh(); },
    [this](atom::drain) { return drain(); },
    [this](atom::describe) { return describe(); },
  };
}

void membership_actor::on_exit() {
  state_.owned.on_doubt({});
  state_.owned.begin({});
  state_.lease.end();
  for (auto promises : {&waiting_, &next_, &drained_})
    for (auto& x : std::exchange(*promises, {}))
      x.deliver(caf::unit);
}

template <class Answer, class T, class... Ts>
std::function<void(expected<T>)> membership_actor::back(Ts... what) {
  return [self = caf::actor{this}, what...](expected<T> answer) {
    caf::anon_send(self, Answer{what..., std::move(answer)});
  };
}

// -- its own lease -----------------------------------------------------------

std::string membership_actor::fresh_incarnation() const {
  return options_.new_incarnation ? options_.new_incarnation() : random_name();
}

void membership_actor::join() {
  incarnation_ = fresh_incarnation();
  book_.begin(incarnation_);
  state_.owned.begin(incarnation_);
  counter_ = 0;
  open_ = 0;
  answered_ = questions_;
  rows_.clear();
  watch_ = peer_watch{options_.watch};
  namesakes_ = namesakes{options_.renewals_max};
  declaring_.clear();
  moving_ = false;
  end_handover();
  update_ring();
  publish();
  tick();
}

void membership_actor::tick() {
  if (is_gone_)
    return;
  delayed_send(this, options_.renew_every, atom::tick::value, ++timer_);
  renew();
}

void membership_actor::look_at_verdict() {
  auto verdict = watch_.next_verdict();
  if (!verdict || *verdict == verdict_)
    return;
  auto left = *verdict - now() + verdict_slack;
  if (left.count() <= 0 || left >= options_.renew_every)
    return;
  verdict_ = *verdict;
  delayed_send(this, left, atom::wake::value);
}

void membership_actor::renew() {
  if (is_gone_ || open_ >= options_.renewals_max)
    return;
  auto mine = options_.self;
  mine.incarnation = incarnation_;
  mine.counter = counter_;
  mine.state = next_state();
  ++open_;
  leases_.renew(std::move(mine), back<lease_renewed, lease_view>(
                                   incarnation_, ++questions_, now()));
}

node_state membership_actor::next_state() const {
  if (drain_until_)
    return node_state::draining;
  auto own = find(incarnation_);
  if (own && own->state == node_state::up)
    return node_state::up;
  auto may_join = own && has_read_ && objection().empty()
                  && !namesakes_.must_wait()
                  && (!options_.ready || options_.ready(rows_));
  return may_join ? node_state::up : node_state::joining;
}

std::string membership_actor::objection() const {
  if (!refused_.empty())
    return refused_;
  if (auto other = namesakes_.alive() ? find(*namesakes_.alive()) : nullptr)
    return "node '" + other->node + "' is there already, at '" + other->http_url
           + "': every node needs an id of its own";
  for (auto& x : rows_)
    if (x.state == node_state::up && x.incarnation != incarnation_)
      if (auto why = misfit(x); !why.empty())
        return why;
  return {};
}

std::string membership_actor::misfit(const lease_row& other) const {
  auto& self = options_.self;
  auto [least, most] = std::minmax(other.wire_version, self.wire_version);
  if (least < wire::oldest_beside(most))
    return "node '" + other.node + "' speaks version "
           + std::to_string(other.wire_version) + " of the wire, this one "
           + std::to_string(self.wire_version);
  if (other.settings != self.settings)
    return "node '" + other.node + "' has other settings: '" + other.settings
           + "' instead of '" + self.settings + "'";
  return {};
}

void membership_actor::take(lease_renewed& answer) {
  if (answer.incarnation != incarnation_ || is_gone_)
    return;
  --open_;
  state_.store_is_away = !answer.view;
  if (!answer.view) {
    ++state_.counts.renewals_failed;
    return;
  }
  auto& view = *answer.view;
  if (view.fenced)
    return fenced();
  ++state_.counts.renewals;
  state_.lease.renewed(answer.sent);
  if (view.counter <= counter_)
    return; // a newer one has overtaken it
  counter_ = view.counter;
  answered_ = answer.number;
  auto before = std::exchange(rows_, std::move(view.rows));
  auto by_incarnation = [](auto& x, auto& y) {
    return x.incarnation < y.incarnation;
  };
  if (!std::is_sorted(rows_.begin(), rows_.end(), by_incarnation))
    std::sort(rows_.begin(), rows_.end(), by_incarnation);
  judge(answer.sent);
  look_at_namesakes();
  look_at_newcomers(before);
  for (auto& x : rows_)
    x.counter = 0; // what is left changes seldom
  if (rows_ != before)
    update_ring();
  read();
  plan();
  publish();
  forget_old_rows();
  look_at_verdict();
  get_up();
}

void membership_actor::get_up() {
  auto own = find(incarnation_);
  if (!own || own->state != node_state::joining)
    return;
  if (auto why = objection(); !why.empty() && options_.refused)
    options_.refused(why);
  else if (next_state() == node_state::up)
    renew(); // at once: nothing to wait for
}

void membership_actor::fenced() {
  ++state_.counts.fenced;
  state_.lease.end();
  auto had_left = drain_until_.has_value();
  if (options_.let_go) {
    std::vector<uint32_t> all(book_.count());
    std::iota(all.begin(), all.end(), 0u);
    book_.begin({});
    options_.let_go(all, [] {});
  }
  if (had_left)
    has_left();
  else
    join();
}

// -- the others --------------------------------------------------------------

const lease_row* membership_actor::find(const std::string& incarnation) const {
  return find_in(rows_, incarnation);
}

bool membership_actor::is_down(const std::string& incarnation,
                               uint64_t learned) const {
  if (auto row = find(incarnation))
    return row->state == node_state::down;
  // The view may be older than the incarnation.
  return answered_ > learned;
}

void membership_actor::judge(boot_time asked) {
  std::vector<peer_watch::sighting> peers;
  for (auto& x : rows_) {
    if (x.incarnation == incarnation_)
      continue;
    if (is_alive(x))
      peers.push_back({x.incarnation, x.counter});
    else if (down_since_.try_emplace(x.incarnation, now()).second)
      last_seen_.try_emplace(x.incarnation,
                             watch_.still_since(x.incarnation).value_or(now()));
  }
  watch_.look(peers, asked, now());
  declare_those_dead();
}

void membership_actor::declare_those_dead() {
  more_to_declare_ = false;
  auto own =
    std::lower_bound(rows_.begin(), rows_.end(), incarnation_, comes_before);
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (own == rows_.end())
      own = rows_.begin();
    auto& x = *own++;
    if (x.incarnation == incarnation_ || !is_alive(x))
      continue;
    if (!watch_.dead(x.incarnation) && !leases_.proven_dead(x.incarnation))
      continue;
    if (declaring_.size() < options_.declare_max)
      declare(x);
    else if (!declaring_.contains(x.incarnation))
      more_to_declare_ = true;
  }
}

void membership_actor::declare(const lease_row& peer) {
  if (!declaring_.insert(peer.incarnation).second)
    return;
  leases_.declare_dead(peer.incarnation, peer.counter,
                       back<node_declared, verdict>(peer.incarnation));
}

void membership_actor::take(node_declared& answer) {
  declaring_.erase(answer.incarnation);
  auto is_last = declaring_.empty() && std::exchange(more_to_declare_, false);
  if (is_last && answer.result)
    renew(); // others may have declared the rest meanwhile
  if (!answer.result || *answer.result == verdict::lives)
    return;
  for (auto& x : rows_) {
    if (x.incarnation != answer.incarnation || !is_alive(x))
      continue;
    if (*answer.result == verdict::dies) {
      ++state_.counts.declared;
      if (options_.declared)
        options_.declared({x.node, x.incarnation});
    }
    x.state = node_state::down;
    down_since_.try_emplace(x.incarnation, now());
    last_seen_.try_emplace(x.incarnation,
                           watch_.still_since(x.incarnation).value_or(now()));
  }
  namesakes_.gone(answer.incarnation);
  update_ring();
  plan();
  publish();
  get_up();
}

void membership_actor::look_at_newcomers(
  const std::vector<lease_row>& before) const {
  auto own = find_in(before, incarnation_);
  if (!options_.turned_away || !own || own->state != node_state::up)
    return;
  // One that is down has come and gone between two looks.
  for (auto& x : rows_)
    if (x.state != node_state::up && !find_in(before, x.incarnation))
      if (auto why = misfit(x); !why.empty())
        options_.turned_away(why);
}

void membership_actor::look_at_namesakes() {
  std::vector<namesakes::sighting> others;
  for (auto& x : rows_)
    if (x.node == options_.self.node && x.incarnation != incarnation_
        && is_alive(x))
      others.push_back(
        {x.incarnation, x.counter, x.state == node_state::draining});
  namesakes_.look(others);
}

void membership_actor::forget_old_rows() {
  std::erase_if(down_since_, [this](auto& x) { return !find(x.first); });
  std::erase_if(last_seen_, [this](auto& x) { return !find(x.first); });
  auto first = std::find_if(rows_.begin(), rows_.end(),
                            [](auto& x) { return x.state == node_state::up; });
  if (first == rows_.end() || first->incarnation != incarnation_ || !has_read_)
    return; // one is enough
  for (auto& [incarnation, since] : down_since_) {
    auto refers = false;
    for (uint32_t i = 0; i < book_.count() && !refers; ++i)
      refers = book_[i].owner == incarnation;
    if (!refers && now() - since > options_.keep_down)
      leases_.forget(incarnation);
  }
}

// -- shards ------------------------------------------------------------------

void membership_actor::read() {
  if (std::exchange(reading_, true)) {
    read_again_ = true;
    return;
  }
  read_again_ = false;
  shards_.read(book_.count(), version_, back<shards_read, shard_view>());
}

void membership_actor::take(shards_read& answer) {
  reading_ = false;
  if (answer.view && answer.view->count != book_.count()) {
    refused_ = "the store has " + std::to_string(answer.view->count)
               + " shards, this node wants " + std::to_string(book_.count());
  } else if (answer.view) {
    version_ = std::max(version_, answer.view->version);
    auto is_news =
      !std::exchange(has_read_, true) || !answer.view->rows.empty();
    for (auto& x : answer.view->rows)
      learn(x);
    if (is_news) {
      plan();
      publish();
    }
  }
  for (auto& x : std::exchange(waiting_, std::exchange(next_, {})))
    x.deliver(caf::unit);
  if (read_again_)
    read();
}

void membership_actor::learn(const shard_row& row) {
  if (row.shard >= book_.count()
      || !book_.learn(row.shard, row.owner, row.epoch, questions_))
    return;
  places_changed_ = true;
  if (book_.is_mine(row.shard))
    ++state_.counts.got;
}

void membership_actor::update_ring() {
  std::map<std::string, const lease_row*> members; // a node's newest run
  for (auto& x : rows_)
    if (x.state == node_state::up)
      members[x.node] = &x; // rows come in the order of their incarnations
  std::vector<ring_node> nodes;
  std::vector<std::string> owners;
  for (auto& [node, row] : members) {
    nodes.push_back({node, std::max(row->capacity, 1u), row->zone});
    owners.push_back(row->incarnation);
  }
  if (owners == ring_owners_ && nodes == ring_nodes_)
    return;
  if (nodes != ring_nodes_) {
    wanted_places_ = options_.place
                       ? options_.place(nodes, book_.count())
                       : place_shards(hash_ring{nodes}, book_.count());
    ring_nodes_ = std::move(nodes); // as in the ring: by name
  }
  ring_owners_ = std::move(owners);
  ring_since_ = now();
}

void membership_actor::plan() {
  if (!has_read_ || leaving_ || is_gone_ || !find(incarnation_)
      || !state_.lease.valid())
    return;
  if (!moving_)
    settle();
  if (drain_until_)
    plan_drain();
  else if (find(incarnation_)->state == node_state::up)
    plan_moves();
}

void membership_actor::settle() {
  std::vector<shard_move> moves;
  for (uint32_t i = 0; i < book_.count(); ++i)
    if (book_[i].unsettled && book_.is_mine(i))
      moves.push_back({i, incarnation_, book_[i].epoch, incarnation_});
  if (!moves.empty())
    move(move_purpose::settle, std::move(moves));
}

std::vector<shard_holder> membership_actor::holders(size_t me) const {
  std::vector<shard_holder> result(book_.count(), shard_holder::other);
  for (uint32_t i = 0; i < book_.count(); ++i) {
    auto& x = book_[i];
    if (book_.is_mine(i))
      result[i] = shard_holder::me;
    else if (wanted_places_[i] == me
             && (x.owner.empty() || is_down(x.owner, x.learned)))
      result[i] = shard_holder::nobody;
  }
  return result;
}

void membership_actor::plan_moves() {
  auto me = static_cast<size_t>(
    std::find(ring_owners_.begin(), ring_owners_.end(), incarnation_)
    - ring_owners_.begin());
  auto proposed =
    propose_moves(wanted_places_, holders(me), me, options_.give_max);
  if (!proposed.take.empty() && !moving_)
    take_over(proposed.take);
  auto may_give = !handing_over_ && now() >= no_gifts_before_
                  && now() - ring_since_ >= options_.settle_time;
  if (!may_give)
    return;
  // What came from a node that leaves would go back to it by a view from before.
  std::erase_if(proposed.give, [this](auto& x) {
    return book_[x.first].learned >= answered_;
  });
  give(gifts_for(proposed.give, options_.give_max));
}

void membership_actor::plan_drain() {
  if (handing_over_)
    return;
  if (now() >= *drain_until_)
    return leave();
  // Whoever gets shards must be able to see why, or it gives them back: this
  // node is out of the ring first.
  if (find(incarnation_)->state != node_state::draining)
    return;
  std::vector<std::pair<uint32_t, uint32_t>> proposed;
  for (uint32_t i = 0; i < book_.count(); ++i)
    if (book_.is_mine(i))
      proposed.emplace_back(i, ring_nodes_.empty() ? 0 : wanted_places_[i]);
  if (proposed.empty())
    return leave();
  give(gifts_for(proposed, ring_nodes_.empty() ? proposed.size()
                                               : size_t{options_.drain_max}));
}

void membership_actor::take_over(const std::vector<uint32_t>& shards) {
  std::vector<shard_move> moves;
  for (auto i : shards)
    moves.push_back({i, book_[i].owner, book_[i].epoch, incarnation_});
  move(move_purpose::take, std::move(moves));
}

void membership_actor::move(move_purpose why, std::vector<shard_move> moves) {
  if (why != move_purpose::give)
    moving_ = true;
  auto answer =
    back<shards_moved, std::vector<move_result>>(incarnation_, why, moves);
  shards_.move(std::move(moves), std::move(answer));
}

void membership_actor::take(shards_moved& answer) {
  auto is_ours = answer.incarnation == incarnation_;
  if (answer.results) {
    for (auto& x : *answer.results)
      learn(x.now);
  } else if (is_ours && answer.why != move_purpose::take) {
    for (auto& x : answer.moves)
      if (book_[x.shard].epoch == x.expected_epoch)
        book_.doubt(x.shard);
  }
  if (!is_ours)
    return;
  if (answer.why == move_purpose::give)
    end_handover();
  else
    moving_ = false;
  if (answer.results) {
    count(answer);
    plan(); // else with the next view: the store is away
  }
  read();
  publish();
}

void membership_actor::count(const shards_moved& answer) {
  std::set<std::string> receivers;
  for (size_t i = 0; i < answer.moves.size(); ++i) {
    auto& x = answer.moves[i];
    if (!(*answer.results)[i].moved)
      continue;
    if (answer.why == move_purpose::give) {
      ++state_.counts.given;
      receivers.insert(x.new_owner);
    }
    auto seen = last_seen_.find(x.expected_owner);
    if (answer.why != move_purpose::take || seen == last_seen_.end())
      continue;
    ++state_.counts.taken;
    auto time = (now() - seen->second).count();
    state_.counts.takeover_ns = time;
    if (time > state_.counts.takeover_ns_max)
      state_.counts.takeover_ns_max = time;
  }
  for (auto& x : receivers)
    if (auto row = find(x); row && options_.nudge)
      options_.nudge(*row);
}

// -- hand-overs --------------------------------------------------------------

membership_actor::gifts membership_actor::gifts_for(
  const std::vector<std::pair<uint32_t, uint32_t>>& proposed,
  size_t most) const {
  gifts result;
  for (auto& [shard, node] : proposed) {
    if (result.size() == most)
      break;
    if (book_[shard].unsettled)
      continue;
    if (ring_nodes_.empty())
      result.emplace_back(shard, std::string{}); // there is nobody
    else if (!watch_.suspect(ring_owners_[node]))
      result.emplace_back(shard, ring_owners_[node]);
  }
  return result;
}

void membership_actor::give(gifts to) {
  if (to.empty())
    return;
  handing_over_ = true;
  gifts_ = std::move(to);
  auto number = ++handover_;
  std::vector<uint32_t> shards;
  for (auto& [shard, receiver] : gifts_) {
    book_.leaving(shard, true);
    shards.push_back(shard);
  }
  auto limit = drain_until_ ? *drain_until_ - now() : options_.handover_limit;
  delayed_send(this, limit, atom::late::value, number);
  if (!options_.let_go)
    return vacated(number);
  options_.let_go(shards, [self = caf::actor{this}, number] {
    caf::anon_send(self, shards_vacated{number});
  });
}

void membership_actor::vacated(uint64_t number) {
  if (number != handover_ || !handing_over_)
    return;
  ++handover_; // only once
  if (gifts_.front().second.empty())
    return leave();
  std::vector<shard_move> moves;
  for (auto& [shard, receiver] : gifts_) {
    state_.owned.set(shard, 0); // nothing is answered any more
    moves.push_back({shard, incarnation_, book_[shard].epoch, receiver});
  }
  move(move_purpose::give, std::move(moves));
}

void membership_actor::too_late(uint64_t number) {
  if (number != handover_ || !handing_over_)
    return;
  if (drain_until_)
    return vacated(number);
  // Nobody was asked to move them yet: they stay.
  no_gifts_before_ = now() + 2 * options_.handover_limit;
  end_handover();
}

void membership_actor::end_handover() {
  if (!std::exchange(handing_over_, false))
    return;
  ++handover_;
  for (auto& [shard, receiver] : std::exchange(gifts_, {}))
    book_.leaving(shard, false);
}

// -- leaving -----------------------------------------------------------------

caf::result<caf::unit_t> membership_actor::drain() {
  if (is_gone_)
    return caf::unit;
  auto promise = make_response_promise();
  drained_.push_back(promise);
  if (!drain_until_) {
    drain_until_ = now() + options_.drain_limit;
    renew();
    plan();
  }
  return promise;
}

void membership_actor::leave() {
  // From here on it serves nothing: others take what it has.
  leaving_ = true;
  book_.begin({});
  end_handover();
  leases_.leave(incarnation_, back<node_left, void>(incarnation_));
}

void membership_actor::take(node_left& answer) {
  if (answer.incarnation != incarnation_ || is_gone_)
    return;
  if (answer.done)
    has_left();
  else
    leaving_ = false; // again with the next view
}

void membership_actor::has_left() {
  is_gone_ = true;
  state_.lease.end();
  state_.owned.begin({});
  // The others stay in view: calls that still come here go to them.
  std::erase_if(rows_,
                [this](auto& x) { return x.node == options_.self.node; });
  publish();
  for (auto& x : std::exchange(drained_, {}))
    x.deliver(caf::unit);
}

// -- what others see ---------------------------------------------------------

caf::result<caf::unit_t> membership_actor::refresh() {
  auto promise = make_response_promise();
  (reading_ ? next_ : waiting_).push_back(promise);
  read();
  return promise;
}

void membership_actor::publish() {
  auto last = state_.views.load();
  auto self = is_gone_ ? std::string{} : incarnation_;
  auto places_changed = std::exchange(places_changed_, false);
  if (!places_changed && self == last->self && shows_nodes(*last))
    return; // rows are many, and mostly the same as before
  auto next = std::make_shared<cluster_view>();
  next->self = std::move(self);
  std::copy_if(rows_.begin(), rows_.end(), std::back_inserter(next->nodes),
               is_alive);
  next->shards = places(next->nodes);
  if (*next != *last)
    state_.views.publish(std::move(next));
}

bool membership_actor::shows_nodes(const cluster_view& view) const {
  auto i = view.nodes.begin();
  for (auto& x : rows_)
    if (is_alive(x) && (i == view.nodes.end() || *i++ != x))
      return false;
  return i == view.nodes.end();
}

std::vector<shard_place>
membership_actor::places(const std::vector<lease_row>& nodes) const {
  std::vector<shard_place> result;
  result.reserve(book_.count());
  for (uint32_t i = 0; i < book_.count(); ++i) {
    auto owner = find_in(nodes, book_[i].owner);
    result.push_back({owner ? static_cast<uint32_t>(owner - nodes.data())
                            : shard_place::nobody,
                      book_[i].epoch});
  }
  return result;
}

tree_node membership_actor::describe() const {
  tree_node result;
  result.kind = "membership";
  result.name = options_.self.node + " " + incarnation_;
  auto own = find(incarnation_);
  result.state = is_gone_ ? "down" : own ? to_string(own->state) : "joining";
  return result;
}

} // namespace troupe
