// A shared object that is no plugin.

extern "C" int troupe_is_not_here() {
  return 0;
}
