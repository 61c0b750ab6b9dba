// What a callable takes and gives, read off its type: the arguments that a
// caller sends (without a leading `context&`) and the result (without the
// `task<>` of a coroutine).

#pragma once

#include <tuple>
#include <type_traits>

#include "actors/core/task.hpp"

namespace troupe {

class context;

/// Marks a signature in an argument list: `signature<int(int)>{}`.
template <class T>
struct signature;

template <class R, class... As>
struct signature<R(As...)> {
  using type = std::decay_t<R>(std::decay_t<As>...);
};

namespace detail {

template <class T>
struct result_traits {
  using type = std::decay_t<T>;
  static constexpr bool is_task = false;
};

template <class T>
struct result_traits<task<T>> {
  using type = std::decay_t<T>;
  static constexpr bool is_task = true;
};

template <class R, class... As>
struct call_traits_base {
  using result = typename result_traits<std::decay_t<R>>::type;
  using arguments = std::tuple<std::decay_t<As>...>;
  using type = result(std::decay_t<As>...);
  static constexpr bool is_task = result_traits<std::decay_t<R>>::is_task;
};

template <class R, class... As>
struct call_traits_impl : call_traits_base<R, As...> {
  static constexpr bool takes_context = false;
};

template <class R, class... As>
struct call_traits_impl<R, context&, As...> : call_traits_base<R, As...> {
  static constexpr bool takes_context = true;
};

template <class F>
struct call_traits : call_traits<decltype(&F::operator())> {};

template <class R, class... As>
struct call_traits<R (*)(As...)> : call_traits_impl<R, As...> {};

template <class R, class... As>
struct call_traits<R (*)(As...) noexcept> : call_traits_impl<R, As...> {};

template <class R, class S, class... As>
struct call_traits<R (S::*)(As...)> : call_traits_impl<R, As...> {
  using object = S;
  static constexpr bool is_const = false;
};

template <class R, class S, class... As>
struct call_traits<R (S::*)(As...) noexcept> : call_traits<R (S::*)(As...)> {};

template <class R, class S, class... As>
struct call_traits<R (S::*)(As...) const> : call_traits_impl<R, As...> {
  using object = S;
  static constexpr bool is_const = true;
};

template <class R, class S, class... As>
struct call_traits<R (S::*)(As...) const noexcept>
  : call_traits<R (S::*)(As...) const> {};

} // namespace detail

} // namespace troupe
