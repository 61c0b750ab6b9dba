# How Troupe's own targets are compiled. A layer is a shared library that must
# resolve every symbol it uses from the layers below it, so that an include in
# the wrong direction fails to link.

include(precompiled)

add_library(troupe_flags INTERFACE)
target_compile_options(troupe_flags INTERFACE
  -Wall -Wextra -Werror -fno-omit-frame-pointer -fno-semantic-interposition)
target_include_directories(troupe_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
  $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>)

# <troupe/...> in the build tree: each public header forwards to its place
set(TROUPE_PUBLIC_HEADERS
  module=actors/core/module.hpp
  plugin=actors/core/plugin.hpp
  errors=actors/core/errors.hpp
  supervisor=actors/supervision/supervisor.hpp
  runtime=nodes/runtime.hpp
  testing=nodes/testing.hpp
  testing_cluster=nodes/testing_cluster.hpp)
foreach(entry IN LISTS TROUPE_PUBLIC_HEADERS)
  string(REGEX REPLACE "=.*" "" header_name "${entry}")
  string(REGEX REPLACE ".*=" "" header_path "${entry}")
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/include/troupe/${header_name}.hpp
       CONTENT "#pragma once\n\n#include \"${header_path}\"\n")
endforeach()

# troupe_layer(NAME SOURCES... [LINK targets...] [PRECOMPILE kind])
function(troupe_layer name)
  cmake_parse_arguments(arg "" "PRECOMPILE" "SOURCES;LINK" ${ARGN})
  if(NOT arg_SOURCES)
    add_library(troupe_${name} INTERFACE)
    add_library(troupe::${name} ALIAS troupe_${name})
    target_link_libraries(troupe_${name} INTERFACE ${arg_LINK} $<BUILD_INTERFACE:troupe_flags>)
    return()
  endif()
  add_library(troupe_${name} SHARED ${arg_SOURCES})
  add_library(troupe::${name} ALIAS troupe_${name})
  set_property(GLOBAL APPEND PROPERTY TROUPE_LAYERS troupe_${name})
  set_target_properties(troupe_${name} PROPERTIES EXPORT_NAME ${name} INSTALL_RPATH "$ORIGIN")
  target_compile_features(troupe_${name} PUBLIC cxx_std_20)
  target_include_directories(troupe_${name} INTERFACE
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/troupe>)
  target_link_libraries(troupe_${name} PUBLIC ${arg_LINK} $<BUILD_INTERFACE:troupe_flags>)
  target_link_options(troupe_${name} PRIVATE -Wl,--as-needed)
  if(NOT arg_PRECOMPILE)
    set(arg_PRECOMPILE actors)
  endif()
  troupe_precompile(troupe_${name} ${arg_PRECOMPILE})
  if(NOT TROUPE_SANITIZED)
    target_link_options(troupe_${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()

# troupe_plugin(NAME SOURCES...): a plugin that `troupe node --plugin` loads.
# -fno-gnu-unique: two builds of one plugin may be mapped at once, and must not
# share their inline statics.
function(troupe_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_link_libraries(${name} PRIVATE troupe::core $<BUILD_INTERFACE:troupe_flags>)
  target_compile_options(${name} PRIVATE -fno-gnu-unique)
  set_target_properties(${name} PROPERTIES PREFIX "")
endfunction()

# troupe_test(NAME [WHOLE] SOURCES... [LINK targets...]): one GoogleTest program;
# each of its tests is a test of ctest, labelled NAME; with WHOLE all of them are
# one, for those that share what takes long to start. The time limit is there to end
# a test that hangs, so it is far above what any test takes on a busy machine.
function(troupe_test name)
  cmake_parse_arguments(arg "WHOLE" "TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(TROUPE_SANITIZED)
    math(EXPR arg_TIMEOUT "5 * ${arg_TIMEOUT}")
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE
    ${arg_LINK} GTest::gmock GTest::gtest_main $<BUILD_INTERFACE:troupe_flags>)
  # What is tested is optimized, the tests need not be: they take long to compile.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  troupe_precompile(${name} tests)
  if(arg_WHOLE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${name})
  else()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${name})
  endif()
endfunction()
include(GoogleTest)
