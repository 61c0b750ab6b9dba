#include "nodes/link/caf_link.hpp"

#include <stdexcept>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>

#include "nodes/link/link_broker.hpp"

namespace troupe::link {

namespace {

/// Local time and the cluster's differ by the same for as long as the process
/// lives: a root of calls must look the same wherever it comes by.
wire::cluster_clock cluster_time(const caf::actor_clock& local) {
  auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::nanoseconds{wall} - local.now().time_since_epoch()};
}

/// How much longer than it was told the broker may take to end.
constexpr std::chrono::seconds stop_margin{5};

class caf_link final : public cluster_link {
public:
  caf_link(caf::actor_system& sys, link_options options)
    : sys_(sys), options_(std::move(options)),
      tls_(make_tls(options_)), around_{options_, sys.clock(),
                                        cluster_time(sys.clock())},
      env_{around_, nullptr, nullptr, {}}, ended_(env_.ended.get_future()) {
    caf::actor_config cfg{&sys.middleman().backend()};
    broker_ = sys.spawn_class<link_broker, caf::hidden>(cfg, env_);
    try {
      dialer_ = std::make_unique<dialer>(
        options_.listen, tls_.get(), options_.connect_timeout,
        [broker = broker_](dial_result x) {
          caf::anon_send(broker,
                         dialed{std::make_shared<dial_result>(std::move(x))});
        });
    } catch (...) {
      end_broker(std::chrono::milliseconds{0});
      throw;
    }
    env_.doors = dialer_.get();
    address_ = options_.advertise;
    if (address_.empty())
      address_ = options_.listen.substr(0, options_.listen.rfind(':') + 1)
                 + std::to_string(dialer_->port());
  }

  ~caf_link() override { stop(std::chrono::milliseconds{0}); }

  std::string address() const override { return address_; }

  void listen(link_listener& listener) override {
    env_.listener = &listener;
    dialer_->accept_now();
  }

  void identify(peer_identity self) override {
    caf::anon_send(broker_, identity{std::move(self)});
  }

  peer_link_ptr connect(const peer_endpoint& peer) override {
    std::lock_guard guard{mutex_};
    auto& link = links_[peer.who.node];
    if (link && link->where() == peer)
      return link;
    link = caf::make_counted<outbound_link>(peer);
    caf::anon_send(broker_, link_wanted{link});
    return link;
  }

  void disconnect(const peer_identity& peer) override {
    std::lock_guard guard{mutex_};
    auto i = links_.find(peer.node);
    if (i != links_.end() && i->second->where().who == peer)
      links_.erase(i);
    caf::anon_send(broker_, link_unwanted{peer});
  }

  std::vector<peer_link_ptr> links() const override {
    std::vector<peer_link_ptr> result;
    std::lock_guard guard{mutex_};
    for (auto& [node, link] : links_)
      result.push_back(link);
    return result;
  }

  void accept_no_more() override { dialer_->accept_no_more(); }

  void stop(std::chrono::milliseconds time) override {
    if (broker_)
      end_broker(time);
    // After the broker, which speaks to it.
    dialer_.reset();
  }

private:
  static std::unique_ptr<tls_context> make_tls(const link_options& options) {
    if (auto wrong = options.validate())
      throw std::invalid_argument{*wrong};
    return options.tls.any() ? std::make_unique<tls_context>(options.tls)
                             : nullptr;
  }

  void end_broker(std::chrono::milliseconds time) {
    caf::anon_send(broker_, closing{time});
    broker_ = nullptr;
    ended_.wait_for(time + stop_margin);
  }

  caf::actor_system& sys_;
  const link_options options_;
  const std::unique_ptr<tls_context> tls_;
  const session::surroundings around_;
  link_broker::environment env_;
  std::future<void> ended_;
  caf::actor broker_;
  std::unique_ptr<dialer> dialer_;
  std::string address_;
  mutable std::mutex mutex_; // guards links_
  std::map<std::string, outbound_link_ptr> links_;
};

} // namespace

void prepare(caf::actor_system_config& config) {
  config.load<caf::io::middleman>();
  // A stream of large payloads leaves the others a turn after each read.
  config.set("middleman.max-consecutive-reads", size_t{2});
  // Its own actors are not used: no thread for them.
  config.set("middleman.attach-utility-actors", true);
  config.set("middleman.enable-automatic-connections", false);
}

std::unique_ptr<cluster_link> make_caf_link(caf::actor_system& sys,
                                            link_options options) {
  return std::make_unique<caf_link>(sys, std::move(options));
}

} // namespace troupe::link
