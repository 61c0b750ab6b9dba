#include <cstdio>

#include <troupe/runtime.hpp>

struct counter {
  int value = 0;

  int get() const { return value; }
  int increment(int by) { return value += by; }

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(counter, value)
};

troupe::module shop() {
  troupe::module m;
  m.function("add", [](int a, int b) { return a + b; });
  m.function("visit", [](troupe::context& ctx, int by) -> troupe::task<int> {
    co_return co_await ctx.entity<counter>("visits").call(&counter::increment,
                                                          by);
  });
  m.service<counter>("counter")
    .method("get", &counter::get)
    .method("increment", &counter::increment);
  return m;
}

int main(int argc, char** argv) {
  troupe::runtime rt{argc, argv, shop()}; // takes the options of `troupe node`
  auto add = rt.function<int(int, int)>("add");
  troupe::expected<int> sum = add(1, 2); // a value, or an error with its effect
  std::printf("1 + 2 = %d\n", sum.value());
  return rt.wait(); // serves HTTP until SIGTERM
}
