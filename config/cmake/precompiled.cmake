# Headers that are not Troupe's and that most sources use, read once for all: GCC 12
# takes 2 s to read those of the standard library, 4 to 6 s for all of a kind. A
# source includes what it uses all the same: the presets debug, asan and tsan, and
# `./dev lint`, precompile nothing.

set(TROUPE_STD_HEADERS <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint>
  <cstring> <deque> <filesystem> <fstream> <functional> <future> <map> <memory>
  <mutex> <optional> <random> <set> <span> <sstream> <stdexcept> <string>
  <string_view> <thread> <unordered_map> <utility> <variant> <vector>)
set(TROUPE_CAF_HEADERS <caf/actor.hpp> <caf/actor_system.hpp>
  <caf/allowed_unsafe_message_type.hpp> <caf/event_based_actor.hpp>
  <caf/message.hpp> <caf/send.hpp>)

# What sources of each kind have. All of a kind are compiled with the same
# options.
set(TROUPE_HEADERS_OF_model ${TROUPE_STD_HEADERS})
set(TROUPE_HEADERS_OF_actors ${TROUPE_STD_HEADERS} ${TROUPE_CAF_HEADERS} <nlohmann/json.hpp>)
set(TROUPE_HEADERS_OF_client ${TROUPE_STD_HEADERS} <nlohmann/json.hpp>)
set(TROUPE_HEADERS_OF_programs ${TROUPE_STD_HEADERS} ${TROUPE_CAF_HEADERS} <nlohmann/json.hpp>)
set(TROUPE_HEADERS_OF_tests ${TROUPE_STD_HEADERS} ${TROUPE_CAF_HEADERS} <nlohmann/json.hpp>
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
