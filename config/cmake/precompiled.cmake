# Headers that are not Troupe's and that most sources use, read once for all: to
# read them was half of the time of a build. A source includes what it uses all
# the same: the presets debug, asan and tsan precompile nothing.

set(common <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint>
  <cstring> <deque> <filesystem> <fstream> <functional> <future> <map> <memory>
  <mutex> <optional> <random> <set> <span> <sstream> <stdexcept> <string>
  <string_view> <thread> <unordered_map> <utility> <variant> <vector>)
set(caf <caf/actor.hpp> <caf/actor_system.hpp>
  <caf/allowed_unsafe_message_type.hpp> <caf/event_based_actor.hpp>
  <caf/message.hpp> <caf/send.hpp>)

# What sources of each kind have. All of a kind are compiled with the same
# options.
set(TROUPE_HEADERS_OF_model ${common})
set(TROUPE_HEADERS_OF_actors ${common} ${caf} <nlohmann/json.hpp>)
set(TROUPE_HEADERS_OF_client ${common} <nlohmann/json.hpp>)
set(TROUPE_HEADERS_OF_programs ${common} ${caf} <nlohmann/json.hpp>)
set(TROUPE_HEADERS_OF_tests ${common} ${caf} <nlohmann/json.hpp>
  <gmock/gmock.h> <gtest/gtest.h>)

# What GCC 12 says falsely of inlined functions of std::string. It hides such
# warnings in headers of the system, but not once they are precompiled.
set(TROUPE_FALSE_WARNINGS -Wno-array-bounds -Wno-restrict
  -Wno-stringop-overflow -Wno-stringop-overread)

# troupe_precompile(TARGET KIND): the first of a kind precompiles for all of it
function(troupe_precompile target kind)
  if(CMAKE_DISABLE_PRECOMPILE_HEADERS)
    return()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE ${TROUPE_FALSE_WARNINGS})
  endif()
  set_target_properties(${target} PROPERTIES DEFINE_SYMBOL "") # alike for all
  get_property(first GLOBAL PROPERTY TROUPE_PRECOMPILES_${kind})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE ${TROUPE_HEADERS_OF_${kind}})
    set_property(GLOBAL PROPERTY TROUPE_PRECOMPILES_${kind} ${target})
  endif()
endfunction()
