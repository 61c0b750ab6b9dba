// Connections to servers of NATS, through the C client. None is made anew by
// itself: who has one sees that it is over, and makes another.

#pragma once

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include <nats/nats.h>

#include "actors/messages/subscription.hpp"

namespace troupe::nats {

/// The connection is over, or could not be made.
struct session_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T, void (*destroy)(T*)>
struct destroyer {
  void operator()(T* x) const noexcept { destroy(x); }
};

template <class T, void (*destroy)(T*)>
using handle = std::unique_ptr<T, destroyer<T, destroy>>;

using connection_handle = handle<natsConnection, natsConnection_Destroy>;
using subscription_handle = handle<natsSubscription, natsSubscription_Destroy>;
using context_handle = handle<jsCtx, jsCtx_Destroy>;
using message_handle = handle<natsMsg, natsMsg_Destroy>;

/// What the client says of a call that failed.
std::string describe(const std::string& what, natsStatus status);

/// @throws session_error unless all is well
void check(natsStatus status, const std::string& what);

/// @param name what the server lists the client as
/// @param limit for each step of it
/// @throws session_error
connection_handle connect(const broker_address& to, const std::string& name,
                          std::chrono::milliseconds limit);

} // namespace troupe::nats
